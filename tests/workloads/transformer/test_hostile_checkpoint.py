"""Checkpoints that are damaged or made to do harm: each is refused by name, and nothing outside is read."""

import json
import os
import pickle
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from workloads.transformer.checkpoint import check_checkpoint, open_checkpoint
from workloads.transformer.checkpoint_names import stored_weights
from workloads.transformer.config import architecture_of
from workloads.transformer.errors import WeightError
from workloads.transformer.split import Span
from workloads.transformer.weight_names import weight_shapes

CONFIG: Mapping[str, object] = {
    "model_type": "gpt2",
    "vocab_size": 23,
    "n_positions": 11,
    "n_embd": 12,
    "n_inner": 20,
    "n_head": 3,
    "n_layer": 2,
}
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
WEIGHT = "transformer.h.1.mlp.c_fc.weight"


def tensors(config: Mapping[str, object] = CONFIG) -> dict[str, Tensor]:
    places = stored_weights(architecture_of(config)).values()
    shapes = {place.name: place.shape for place in places if place.name != "lm_head.weight"}
    torch.manual_seed(0)
    return {f"transformer.{name}": torch.randn(shape) for name, shape in shapes.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole checkpoint in one file."""
    inside = tmp_path / "checkpoint"
    inside.mkdir()
    (inside / "config.json").write_text(json.dumps(CONFIG))
    save_file(tensors(), inside / SINGLE)
    return inside


@pytest.fixture
def sharded(folder: Path) -> Path:
    """A whole checkpoint in two files."""
    (folder / SINGLE).unlink()
    whole = tensors()
    names = sorted(whole)
    shards = {FIRST: names[:9], SECOND: names[9:]}
    for file, held in shards.items():
        save_file({name: whole[name] for name in held}, folder / file)
    write_index(folder, {name: file for file, held in shards.items() for name in held})
    return folder


def write_index(folder: Path, files: Mapping[str, object]) -> None:
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": files}))


def read_index(folder: Path) -> dict[str, str]:
    return json.loads((folder / INDEX).read_text())["weight_map"]


def header_of(file: Path) -> tuple[dict[str, Any], bytes]:
    content = file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def write_header(file: Path, header: object, data: bytes) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + data)


def refused(folder: Path, words: str) -> None:
    with pytest.raises(WeightError, match=words) as raised:
        check_checkpoint(folder)
    assert len(str(raised.value)) < 2500


def test_both_forms_are_read_when_nothing_is_wrong(folder: Path) -> None:
    assert check_checkpoint(folder) == ()


def test_two_files_are_read_when_nothing_is_wrong(sharded: Path) -> None:
    assert check_checkpoint(sharded) == ()


def change(alter: Callable[[dict[str, Tensor]], object], folder: Path) -> None:
    changed = tensors()
    alter(changed)
    save_file(changed, folder / SINGLE)


@pytest.mark.parametrize(
    ("alter", "words"),
    [
        (lambda t: t.pop(WEIGHT), f"missing: '{WEIGHT}'"),
        (lambda t: t.update({"score.weight": torch.ones(2)}), "not of this model: 'score.weight'"),
        (lambda t: t.update({"transformer.h.2.ln_1.bias": torch.ones(12)}), r"not of this model: '.*h\.2\."),
        (
            lambda t: t.update({WEIGHT: t[WEIGHT].T.contiguous()}),
            r"of another shape: '.*' \[20, 12\] for \[12, 20\]",
        ),
        (lambda t: t.update({WEIGHT: torch.tensor(1.0)}), r"of another shape: '.*' \[\] for \[12, 20\]"),
        (lambda t: t.update({WEIGHT: t[WEIGHT].to(torch.int8)}), "of another type than F64, F32, .*' I8"),
        (lambda t: t.update({WEIGHT: t[WEIGHT].to(torch.float8_e4m3fn)}), "of another type .*' F8_E4M3"),
        (lambda t: t[WEIGHT].view(-1)[77:78].fill_(float("nan")), f"'{WEIGHT}' of .* holds NaN or infinity"),
        (lambda t: t[WEIGHT].view(-1)[77:78].fill_(float("-inf")), f"'{WEIGHT}' of .* holds NaN or infinity"),
    ],
)
def test_weights_that_are_not_those_of_the_model_are_named(
    folder: Path, alter: Callable[[dict[str, Tensor]], object], words: str
) -> None:
    change(alter, folder)
    refused(folder, words)


def test_everything_that_is_wrong_with_weights_is_said_at_once(folder: Path) -> None:
    def alter(changed: dict[str, Tensor]) -> None:
        for layer in range(2):
            del changed[f"transformer.h.{layer}.ln_1.weight"]
        changed["x" * 500] = torch.ones(1)
        changed["transformer.wpe.weight"] = torch.ones(10, 12)

    change(alter, folder)
    refused(
        folder,
        r"missing: '.*h\.0\.ln_1\.weight', '.*h\.1.*; not of this model: 'x.*; of another shape: .*wpe",
    )


def test_a_model_of_which_nothing_is_there_names_a_few_weights_and_counts_the_others(folder: Path) -> None:
    save_file({"a": torch.ones(1)}, folder / SINGLE)
    refused(folder, r"missing: 'transformer.wte.weight', .* and 20 more; not of this model: 'a'")


def test_a_nan_in_rows_of_others_does_not_stop_a_rank(folder: Path) -> None:
    change(lambda t: t["transformer.wte.weight"][7:8].fill_(float("nan")), folder)
    _, weights = open_checkpoint(folder)
    assert weights.read("embedding.tokens", [Span(8, 23), None]).shape == (15, 12)
    with pytest.raises(WeightError, match=r"'transformer.wte.weight' of .* holds NaN"):
        weights.read("embedding.tokens", [Span(0, 8), None])


@pytest.mark.parametrize("length", [0, 5, 8, 100, -1, -40])
def test_a_file_that_ends_too_early_is_refused(folder: Path, length: int) -> None:
    content = (folder / SINGLE).read_bytes()
    (folder / SINGLE).write_bytes(content[:length])
    refused(folder, r"model\.safetensors is no safetensors file")


def test_a_file_with_more_behind_its_end_is_refused(folder: Path) -> None:
    with (folder / SINGLE).open("ab") as file:
        file.write(b"#!/bin/sh")
    refused(folder, r"model\.safetensors is no safetensors file")


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 10**9, 2**31])
def test_a_huge_length_of_the_header_is_refused(folder: Path, length: int) -> None:
    content = (folder / SINGLE).read_bytes()
    (folder / SINGLE).write_bytes(struct.pack("<Q", length) + content[8:])
    refused(folder, r"model\.safetensors is no safetensors file")


@pytest.mark.parametrize(
    "offsets",
    [
        lambda begin, end: [begin - 4, end - 4],  # overlaps the one before
        lambda begin, end: [begin + 4, end + 4],
        lambda begin, end: [begin, end + 4],
        lambda begin, end: [end, begin],
        lambda begin, end: [-end, -begin],
        lambda begin, end: [begin + 2**62, end + 2**62],
        lambda begin, end: [begin + 0.5, end + 0.5],
        lambda begin, end: [begin],
        lambda begin, end: "all",
    ],
)
def test_offsets_that_overlap_or_leave_the_file_are_refused(
    folder: Path, offsets: Callable[[int, int], object]
) -> None:
    header, data = header_of(folder / SINGLE)
    header[WEIGHT]["data_offsets"] = offsets(*header[WEIGHT]["data_offsets"])
    write_header(folder / SINGLE, header, data)
    refused(folder, r"model\.safetensors is no safetensors file")


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F128"},
        {"dtype": 32},
        {"shape": [12, -20]},
        {"shape": [2**40, 2**40]},
        {"shape": "12x20"},
        {"shape": [12.0, 20.0]},
    ],
)
def test_entries_of_the_header_that_make_no_sense_are_refused(
    folder: Path, entry: Mapping[str, object]
) -> None:
    header, data = header_of(folder / SINGLE)
    header[WEIGHT] |= entry
    write_header(folder / SINGLE, header, data)
    refused(folder, r"model\.safetensors is no safetensors file")


@pytest.mark.parametrize(
    "header", [b"", b"[]", b"{", b"null", b"\xff\xfe{}", b'{"a":' * 10**5, b"{}" + b" " * 10**6 + b"1"]
)
def test_headers_that_are_no_mapping_are_refused(folder: Path, header: bytes) -> None:
    write_header(folder / SINGLE, header, b"")
    refused(folder, r"model\.safetensors is no safetensors file")


def test_a_tensor_that_is_twice_in_one_header_is_refused(folder: Path) -> None:
    header, data = header_of(folder / SINGLE)
    text = json.dumps(header)
    twice = text[:-1] + "," + json.dumps({WEIGHT: header[WEIGHT]})[1:]
    write_header(folder / SINGLE, twice.encode(), data)
    refused(folder, rf"no safetensors file \(.*{WEIGHT}' twice|is no safetensors file")


def test_a_tensor_in_two_files_is_refused(sharded: Path) -> None:
    names = read_index(sharded)
    second = [name for name, file in names.items() if file == SECOND]
    save_file({name: tensors()[name] for name in [*second, "transformer.wte.weight"]}, sharded / SECOND)
    if names["transformer.wte.weight"] == SECOND:
        save_file({name: tensors()[name] for name in names}, sharded / FIRST)
    refused(sharded, f"'transformer.*' is in {FIRST} and in {SECOND}")


def test_an_index_and_files_that_disagree_are_refused(sharded: Path) -> None:
    names = read_index(sharded)
    write_index(sharded, {**names, WEIGHT: FIRST, "phantom": SECOND})
    refused(sharded, rf"'{WEIGHT}' is not in '{FIRST}'.*'phantom' is not in '{SECOND}'")
    write_index(sharded, {name: file for name, file in names.items() if name != WEIGHT})
    refused(sharded, f"'{WEIGHT}' of {SECOND} is not in the index")


def test_one_file_and_several_in_the_same_folder_are_refused_because_one_model_is_an_old_one(
    sharded: Path,
) -> None:
    save_file({name: torch.zeros_like(tensor) for name, tensor in tensors().items()}, sharded / SINGLE)
    refused(sharded, f"holds two models: {SINGLE}, and {FIRST}, {SECOND}; remove the one")
    for shard in (FIRST, SECOND):
        (sharded / shard).unlink()
    assert check_checkpoint(sharded) == ()  # an index without its files is left by saving one file later


def test_a_missing_shard_is_named(sharded: Path) -> None:
    (sharded / SECOND).unlink()
    refused(sharded, SECOND)


@pytest.mark.parametrize(
    "file",
    [
        "../outside.safetensors",
        "/etc/passwd",
        "sub/model.safetensors",
        "..",
        "",
        "a\0b.safetensors",
        "\ud800.safetensors",
        "x" * 5000 + ".safetensors",
        "..\\outside.safetensors",
        "~/x.safetensors",
        "http://localhost/x.safetensors",
    ],
)
def test_an_index_that_points_elsewhere_is_refused(sharded: Path, file: str) -> None:
    save_file({WEIGHT: torch.zeros(12, 20)}, sharded.parent / "outside.safetensors")
    write_index(sharded, {**read_index(sharded), WEIGHT: file})
    refused(sharded, "no plain name of a safetensors file|cannot be opened")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"weight_map": 3}',
        b'{"weight_map": {"a": 3}}',
        b"\xff",
        b"[" * 10**5,
        b'{"weight_map": {}}',
        b'{"weight_map": ' + b"9" * 5000 + b"}",
    ],
)
def test_an_index_that_is_none_is_refused(sharded: Path, content: bytes) -> None:
    (sharded / INDEX).write_bytes(content)
    refused(sharded, INDEX + "|missing")


@pytest.mark.parametrize("name", [SINGLE, "config.json"])
def test_links_that_leave_the_folder_are_refused(folder: Path, name: str) -> None:
    outside = folder.parent / f"outside-{name}"
    (folder / name).rename(outside)
    (folder / name).symlink_to(outside)
    refused(folder, f"{name} leads to .*outside-{name}, outside of the folder")


def test_links_within_the_folder_are_followed(folder: Path) -> None:
    (folder / SINGLE).rename(folder / "blob")
    (folder / SINGLE).symlink_to("blob")
    assert check_checkpoint(folder) == ()


@pytest.mark.parametrize("name", [SINGLE, "config.json"])
def test_what_is_no_file_is_refused_and_not_waited_for(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    refused(folder, f"{name} is no file")
    (folder / name).unlink()
    (folder / name).symlink_to(name)
    refused(folder, f"{name} cannot be opened")
    (folder / name).unlink()
    (folder / name).mkdir()
    refused(folder, f"{name} is no file")


class Trap:
    """Makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.pt", "consolidated.00.pth", "weights.ckpt", "a.pkl"]
)
def test_pickles_are_refused_by_name_and_never_loaded(folder: Path, name: str) -> None:
    sprung = folder.parent / "sprung"
    (folder / SINGLE).unlink()
    (folder / name).write_bytes(pickle.dumps(Trap(sprung)))
    refused(folder, rf"holds pickles \('{name}'\)")
    refused(folder / name, f"{name} is a pickle")
    write_index(folder, {WEIGHT: name})
    refused(folder, f"uses '{name}', a pickle")
    (folder / SINGLE).write_bytes((folder / name).read_bytes())
    refused(folder, r"model\.safetensors is no safetensors file")
    assert not sprung.exists()


def test_pickles_beside_safetensors_do_no_harm(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(folder.parent / "sprung")))
    assert check_checkpoint(folder) == ()
    assert not (folder.parent / "sprung").exists()


def test_folders_without_a_checkpoint_are_refused(folder: Path) -> None:
    refused(folder / "nowhere", "nowhere is no folder")
    (folder / SINGLE).unlink()
    refused(folder, f"holds neither {SINGLE} nor {INDEX}")
    save_file(tensors(), folder / SINGLE)
    (folder / "config.json").unlink()
    refused(folder, r"config\.json cannot be opened")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no JSON"),
        (b"\xff", "is no JSON"),
        (b"[" * 10**5, "is no JSON"),
        (b"[1]", "holds no mapping"),
        (b'{"model_type": "bloom"}', r"config\.json: model_type is 'bloom'"),
        (b'{"model_type": "gpt2", "n_layer": -1}', r"config\.json: .*num_hidden_layers is -1"),
    ],
)
def test_configurations_that_are_none_are_refused(folder: Path, content: bytes, words: str) -> None:
    (folder / "config.json").write_bytes(content)
    refused(folder, words)


def test_a_configuration_of_another_model_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({**CONFIG, "n_layer": 3, "n_positions": 12}))
    refused(
        folder, r"missing: '.*h\.2\..*of another shape: 'transformer\.wpe\.weight' \[11, 12\] for \[12, 12\]"
    )


@pytest.mark.parametrize("how", ["shorter", "replaced", "gone", "rewritten"])
def test_a_file_that_changes_after_it_was_opened_is_refused(folder: Path, how: str) -> None:
    _, weights = open_checkpoint(folder)
    file = folder / SINGLE
    content = file.read_bytes()
    if how in {"replaced", "gone"}:
        file.rename(folder / "old")
    if how != "gone":
        file.write_bytes(content[:1000] if how == "shorter" else content)
        os.utime(file, ns=(1, 1))
    with pytest.raises(WeightError, match=r"has changed since it was opened|cannot be read"):
        weights.read("embedding.tokens", [None, None])


def test_a_tensor_under_its_old_and_its_new_name_is_refused(folder: Path) -> None:
    config = {
        "model_type": "bert",
        "vocab_size": 23,
        "hidden_size": 12,
        "num_hidden_layers": 1,
        "num_attention_heads": 3,
        "intermediate_size": 20,
        "max_position_embeddings": 11,
    }
    (folder / "config.json").write_text(json.dumps(config))
    named = {name.replace("transformer.", "bert."): tensor for name, tensor in tensors(config).items()}
    save_file({**named, "bert.embeddings.LayerNorm.gamma": torch.ones(12)}, folder / SINGLE)
    refused(folder, r"'bert\.embeddings\.LayerNorm\.gamma' have two names")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
def test_any_change_of_bytes_is_refused_or_harmless(folder: Path, data: st.DataObject) -> None:
    save_file(tensors(), folder / SINGLE)
    content = bytearray((folder / SINGLE).read_bytes())
    header_end = 8 + struct.unpack("<Q", content[:8])[0]
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, header_end + 40))] = data.draw(st.integers(0, 255))
    (folder / SINGLE).write_bytes(content)
    try:
        architecture, weights = open_checkpoint(folder)
        for name, shape in weight_shapes(architecture).items():
            assert weights.read(name, [None] * len(shape)).shape == shape
    except WeightError as error:
        reason = str(error)
        assert str(folder) in reason

"""However a model is shared and its rows are laid out, its results are those of transformers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.workloads.transformer.group_in_threads import Model, model_of
from workloads.transformer.architecture import Family
from workloads.transformer.checkpoint import open_checkpoint
from workloads.transformer.layout import Layout
from workloads.transformer.place import Place
from workloads.transformer.want import Want

pytestmark = pytest.mark.slow  # the library alone takes seconds to import

LIMIT = 1e-9
LENGTHS = (5, 1, 17, 17, 8)
SPEEDS = [
    (1.0,),
    (1.0, 1.0),
    (3.0, 1.0),
    (1.0, 1.0, 1.0),
    (1.0, 1.5, 4.0),
    (1.0, 1.0, 1.0, 1.0),
    (5.0, 1.0, 1.0, 2.0),
]
DECODERS = [Family.GPT2, Family.OPT, Family.LLAMA]


@pytest.fixture(scope="module")
def library() -> Any:
    from tests.workloads.transformer import reference_models  # noqa: PLC0415  # collecting stays fast

    return reference_models


@pytest.fixture(scope="module")
def models(library: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[Family, Any]:
    """The model of every family, with its architecture and its weights as they are read from its files."""
    found = {}
    for family in Family:
        model = library.reference_model(family)
        folder = library.written(model, tmp_path_factory.mktemp(family.value))
        found[family] = (model, *open_checkpoint(folder))
    return found


def padded(prompts: list[Tensor], padded_to: int) -> Tensor:
    return torch.cat([functional.pad(prompt, (0, padded_to - len(prompt))) for prompt in prompts])


@pytest.mark.parametrize("num_stages", [1, 2, 3])
@pytest.mark.parametrize("speeds", SPEEDS, ids=str)
@pytest.mark.parametrize("family", list(Family))
def test_any_share_and_stages_give_what_transformers_gives(
    models: dict[Family, Any], library: Any, family: Family, speeds: tuple[float, ...], num_stages: int
) -> None:
    reference, architecture, weights = models[family]
    prompts = library.prompts_of(LENGTHS, architecture.vocab_size)
    expected = library.reference_rows(reference, prompts)
    model = model_of(architecture, weights, speeds=speeds, num_stages=num_stages)
    packed = model.forward(torch.cat(prompts), Layout(lengths=LENGTHS))
    assert library.relative_error(packed, expected) < LIMIT
    layout = Layout(lengths=LENGTHS, padded_to=20)
    assert library.relative_error(model.forward(padded(prompts, 20), layout), expected) < LIMIT


@pytest.mark.parametrize("num_stages", [1, 3])
@pytest.mark.parametrize("speeds", [(1.0,), (2.0, 1.0)], ids=str)
@pytest.mark.parametrize("family", DECODERS)
def test_greedy_tokens_with_caches_are_those_of_transformers(
    models: dict[Family, Any], library: Any, family: Family, speeds: tuple[float, ...], num_stages: int
) -> None:
    reference, architecture, weights = models[family]
    prompts = library.prompts_of((5, 1, 17), architecture.vocab_size)
    expected = [library.reference_tokens(reference, prompt, 20) for prompt in prompts]
    model = model_of(architecture, weights, speeds=speeds, num_stages=num_stages)
    assert generated(model, prompts, 20) == expected


def generated(model: Model, prompts: list[Tensor], num_new_tokens: int) -> list[list[int]]:
    lengths = tuple(len(prompt) for prompt in prompts)
    ids = tuple(range(len(prompts)))
    new = model.forward(torch.cat(prompts), Layout(lengths=lengths), Want.NEXT_TOKENS, ids)
    tokens = [[int(token)] for token in new]
    for _ in range(num_new_tokens - 1):
        layout = Layout(lengths=(1,) * len(prompts), past=lengths)
        new = model.forward(new, layout, Want.NEXT_TOKENS, ids)
        lengths = tuple(length + 1 for length in lengths)
        for sequence, token in zip(tokens, new, strict=True):
            sequence.append(int(token))
    return tokens


@pytest.mark.parametrize("padded_to", [None, 9])
@pytest.mark.parametrize("family", DECODERS)
def test_pieces_of_prompts_in_one_pass_with_other_sequences_are_exact(
    models: dict[Family, Any], library: Any, family: Family, padded_to: int | None
) -> None:
    reference, architecture, weights = models[family]
    first, second, third = prompts = library.prompts_of((21, 6, 9), architecture.vocab_size)
    model = model_of(architecture, weights, speeds=(1.0, 2.0), num_stages=2)

    def forward(pieces: list[Tensor], past: tuple[int, ...], ids: tuple[int, ...]) -> list[Tensor]:
        lengths = tuple(len(piece) for piece in pieces)
        layout = Layout(lengths=lengths, past=past, padded_to=padded_to)
        tokens = torch.cat(pieces) if padded_to is None else padded(pieces, padded_to)
        return list(model.forward(tokens, layout, Want.ALL_ROWS, ids).split(lengths))

    rows = forward([first[:7], second[:5]], (), (10, 11))
    more = forward([third, first[7:15], second[5:]], (0, 7, 5), (12, 10, 11))
    last = forward([first[15:]], (15,), (10,))
    found = torch.cat([rows[0], more[1], last[0], rows[1], more[2], more[0]])
    assert library.relative_error(found, library.reference_rows(reference, prompts)) < LIMIT


@pytest.mark.parametrize("family", list(Family))
def test_what_is_wanted_of_a_pass_is_a_part_of_all_its_rows(
    models: dict[Family, Any], library: Any, family: Family
) -> None:
    _, architecture, weights = models[family]
    prompts = library.prompts_of(LENGTHS, architecture.vocab_size)
    model = model_of(architecture, weights, speeds=(1.0, 1.0))
    for layout, tokens in (
        (Layout(lengths=LENGTHS), torch.cat(prompts)),
        (Layout(lengths=LENGTHS, padded_to=18), padded(prompts, 18)),
    ):
        rows = model.forward(tokens, layout)
        wanted = model.forward(tokens, layout, Want.LAST_ROWS)
        starts = Layout(lengths=LENGTHS).starts
        ends = Layout(lengths=LENGTHS).last_rows
        picked = rows[list(ends if architecture.is_decoder else starts)]
        assert library.relative_error(wanted, picked) < LIMIT
        if architecture.is_decoder:
            tokens_next = model.forward(tokens, layout, Want.NEXT_TOKENS)
            assert torch.equal(tokens_next, picked.argmax(dim=-1))


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        (Family.GPT2, {"activation_function": "gelu"}),
        (Family.GPT2, {"activation_function": "relu", "layer_norm_epsilon": 0.1}),
        (Family.OPT, {"activation_function": "gelu_new", "tie_word_embeddings": False}),
        (Family.LLAMA, {"num_key_value_heads": 8, "rms_norm_eps": 0.1}),
        (Family.LLAMA, {"num_key_value_heads": 1, "head_dim": 6, "tie_word_embeddings": True}),
        (Family.LLAMA, {"rope_parameters": {"rope_type": "default", "rope_theta": 50.0}}),
        (Family.BERT, {"hidden_act": "gelu_new", "layer_norm_eps": 0.1}),
        (Family.BERT, {"num_attention_heads": 16}),
    ],
    ids=str,
)
def test_every_setting_of_a_family_is_heeded(
    library: Any, tmp_path: Path, family: Family, changes: dict[str, object]
) -> None:
    reference = library.reference_model(family, **changes)
    architecture, weights = open_checkpoint(library.written(reference, tmp_path))
    prompts = library.prompts_of(LENGTHS, architecture.vocab_size)
    found = model_of(architecture, weights).forward(torch.cat(prompts), Layout(lengths=LENGTHS))
    assert library.relative_error(found, library.reference_rows(reference, prompts)) < LIMIT


@pytest.mark.parametrize("speeds", [(1.0,), (1.0, 1.0, 1.0)], ids=str)
@pytest.mark.parametrize("family", list(Family))
def test_bfloat16_is_as_near_to_the_truth_as_that_of_transformers(
    models: dict[Family, Any], library: Any, family: Family, speeds: tuple[float, ...]
) -> None:
    reference, architecture, weights = models[family]
    prompts = library.prompts_of(LENGTHS, architecture.vocab_size)
    place = Place(device=torch.device("cpu"), dtype=torch.bfloat16)
    model = model_of(architecture, weights, speeds=speeds, place=place)
    found = model.forward(torch.cat(prompts), Layout(lengths=LENGTHS))
    assert found.dtype is torch.bfloat16
    truth = library.reference_rows(reference, prompts)
    halved = library.half_precision(reference)
    theirs = (library.reference_rows(halved, prompts).double() - truth).square().mean().sqrt()
    ours = (found.double() - truth).square().mean().sqrt()
    assert ours < 1.5 * theirs  # both are noise of rounding, of about equal size

"""A corpus of bundles that somebody wants to harm with, or that were damaged on the way."""

import hashlib
import io
import json
import os
import random
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from bundle_samples import (
    Raw,
    bundled,
    environment,
    files_in,
    packed,
    raw_zip,
    rehashed,
    verified,
    write_sample,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from saih.commands.import_stage import import_file
from saih.domain.errors import DamagedData, SaihError, UsageError
from saih.store.bundle_layout import MAX_JSON_BYTES, max_bytes, name_problem, place_in_sweep
from saih.store.bundle_zip import read_directory
from saih.store.codec import decode_outcome, encode_environment, encode_outcome, encode_point
from saih.store.document import render

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def bundle_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile")
    return bundled(write_sample(path), path / "tiny.saih.zip")


@pytest.fixture(scope="module")
def files(bundle_path: Path) -> Files:
    return files_in(bundle_path)


def refused(data: bytes, folder: Path) -> str:
    """How a bundle of these bytes is refused; nothing is left of it anywhere."""
    path = folder / "foreign.saih.zip"
    path.write_bytes(data)
    with pytest.raises(DamagedData) as caught:
        import_file(path, folder / "results", None, is_dry=False)
    assert sorted(one.name for one in folder.rglob("*")) == ["foreign.saih.zip"]
    return str(caught.value)


def raw(files: Files) -> list[Raw]:
    return [Raw(name=name.encode(), data=files[name]) for name in sorted(files)]


def changed(entries: list[Raw], which: str, /, **fields: object) -> list[Raw]:
    return [replace(one, **fields) if one.name == which.encode() else one for one in entries]  # type: ignore[arg-type]


def with_name(entries: list[Raw], name: bytes, **fields: object) -> list[Raw]:
    """The entries with one more, in its place."""
    more = Raw(name=name, data=b"evil", **fields)  # type: ignore[arg-type]
    return sorted([*entries, more], key=lambda one: one.name)


NAMES = {
    b"../../evil": "leads out",
    b"points/../../evil": "leads out",
    b"/etc/cron.d/evil": "absolute",
    b"c:/evil": "drive letter",
    b"points\\..\\evil": "backslash",
    b"limits.json\0.txt": "control character",
    b"limits.json\n": "control character",
    b"limits.json\x1b[2J": "control character",
    b"./limits.json": "shortest form",
    b"points//x": "shortest form",
    b"points/": "folder",
    b"Definition.json": "differs only in case",
    b"readme.md": "differs only in case",
    b"sub/bundle.saih.zip": "no bundle holds such a file",
    b"points/0123456789abcdef/attempt-1/job.sh": "no bundle holds such a file",
    b"points/0123456789abcdef/attempt-0/point.json": "no bundle holds such a file",
    b"submissions/submission-1/script.sh": "no bundle holds such a file",
    b"x" * 300: "longer than any",
}


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_a_name_that_no_bundle_has_is_refused_by_what_is_wrong_with_it(
    name: bytes, files: Files, tmp_path: Path
) -> None:
    assert NAMES[name] in refused(raw_zip(with_name(raw(files), name)), tmp_path)


def test_a_name_that_differs_in_unicode_form_is_refused(files: Files, tmp_path: Path) -> None:
    fullwidth = "\N{FULLWIDTH LATIN SMALL LETTER D}efinition.json".encode()
    assert "Unicode form" in refused(raw_zip(with_name(raw(files), fullwidth, flags=1 << 11)), tmp_path)


def deflated(
    data: bytes, *, size: int | None = None, end: int | None = None, tail: bytes = b""
) -> dict[str, object]:
    packed_data = zlib.compress(data, 9, -15)[:end] + tail
    return {"method": 8, "packed": packed_data, "size": len(data) if size is None else size}


FIELDS: dict[str, tuple[dict[str, object], str]] = {
    "symbolic link": ({"mode": 0o120777}, "symbolic link"),
    "device": ({"mode": 0o020666}, "device"),
    "block device": ({"mode": 0o060666}, "device"),
    "pipe": ({"mode": 0o010666}, "pipe"),
    "folder": ({"mode": 0o040755}, "folder"),
    "setuid": ({"mode": 0o104755}, "setuid"),
    "executable": ({"mode": 0o100755}, "mode"),
    "hard link of a UNIX extra field": ({"extra": b"\x0d\x00\x04\x00evil"}, "extra field"),
    "comment": ({"comment": b"hello"}, "comment"),
    "encrypted": ({"flags": 1}, "encrypted"),
    "strongly encrypted": ({"flags": 1 | 1 << 6}, "encrypted"),
    "streamed": ({"flags": 1 << 3}, "does not say its size"),
    "bzip2": ({"method": 12}, "method 12"),
    "lzma": ({"method": 14}, "method 14"),
    "made elsewhere": ({"made": 20}, "mode"),
    "dated": ({"date": 0x5000}, "dated"),
    "wrong checksum": ({"crc32": 1}, "CRC"),
    "two names": ({"local_name": b"other.json"}, "two descriptions"),
    "two sizes": ({"local_size": 7}, "two descriptions"),
    "too short": ({"size": 5}, "two sizes differ"),
    "too large": ({"size": MAX_JSON_BYTES + 1}, "more than"),
    "bomb": (deflated(b"\0" * 900_000), "times its size"),
    "more than it says": (deflated(b"\0" * 1_000_000, size=90_000), "more bytes than it says"),
    "less than it says": (deflated(b"abc" * 5, size=90), "and says 90"),
    "cut short": (deflated(b"abcdefgh" * 9, end=-4), "too early"),
    "goes on": (deflated(b"abc", tail=b"more"), "after their end"),
    "not packed": ({"method": 8, "packed": b"\xff" * 99, "size": 99}, "cannot be unpacked"),
}


@pytest.mark.parametrize("case", FIELDS)
def test_an_entry_that_no_bundle_has_is_refused_by_what_is_wrong_with_it(
    case: str, files: Files, tmp_path: Path
) -> None:
    fields, words = FIELDS[case]
    assert words in refused(raw_zip(changed(raw(files), "definition.json", **fields)), tmp_path)


def test_entries_that_overlap_are_refused(files: Files, tmp_path: Path) -> None:
    assert "overlaps" in refused(raw_zip(changed(raw(files), "definition.json", offset=0)), tmp_path)


def test_one_entry_that_many_names_share_is_refused(files: Files, tmp_path: Path) -> None:
    """The bomb of D. Fifield: a megabyte that unpacks to terabytes, since all entries are one."""
    kernel = zlib.compress(b"\0" * 90_000, 9, -15)
    first, *rest = raw(files)
    shared = [replace(one, packed=b"", method=8, size=90_000, offset=0) for one in rest]
    bomb = replace(first, packed=kernel, method=8, size=90_000)
    assert "refused" in refused(raw_zip([bomb, *shared]), tmp_path)


def test_a_name_that_is_there_twice_is_refused(files: Files, tmp_path: Path) -> None:
    entries = raw(files)
    assert "there twice" in refused(raw_zip([*entries, entries[-1]]), tmp_path)
    assert "there twice" in refused(raw_zip([*entries, entries[3]]), tmp_path)


def test_files_that_another_program_packed_are_refused(files: Files, tmp_path: Path) -> None:
    assert "out of order" in refused(raw_zip(raw(files)[::-1]), tmp_path)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as foreign:
        foreign.writestr("hello.txt", "hello")
    assert "refused" in refused(buffer.getvalue(), tmp_path)


def test_bytes_that_belong_to_no_entry_are_refused(files: Files, tmp_path: Path) -> None:
    whole = packed(files)
    for data in (b"#!/bin/sh\n" + whole, whole + b"tail", raw_zip(raw(files), comment=b"comment")):
        assert "refused" in refused(data, tmp_path)
    entries = raw(files)
    hole = raw_zip([entries[0], replace(entries[1], extra=b""), *entries[2:]])
    assert hole == whole
    first = 30 + len(entries[0].name) + len(entries[0].data)
    assert "refused" in refused(whole[:first] + b"hidden" + whole[first:], tmp_path)


def test_too_many_entries_are_refused_before_any_is_read(tmp_path: Path) -> None:
    """A ZIP file may hold millions of empty entries; the end of the file says how many."""
    path = tmp_path / "many.zip"
    count, place, directory = 1_000_001, 4, 46 * 1_000_001
    end64 = b"PK\x06\x06" + (44).to_bytes(8, "little") + (45).to_bytes(2, "little") * 2 + bytes(8)
    end64 += count.to_bytes(8, "little") * 2 + directory.to_bytes(8, "little") + place.to_bytes(8, "little")
    locator = b"PK\x06\x07" + bytes(4) + (place + directory).to_bytes(8, "little") + (1).to_bytes(4, "little")
    end = (
        b"PK\x05\x06" + bytes(4) + b"\xff" * 4 + directory.to_bytes(4, "little") + place.to_bytes(4, "little")
    )
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.seek(place + directory)
        file.write(end64 + locator + end + bytes(2))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with pytest.raises(DamagedData, match="1000001 entries"):
            read_directory(descriptor)
    finally:
        os.close(descriptor)


def test_a_bomb_within_every_limit_takes_little_memory(files: Files, tmp_path: Path) -> None:
    """Files of the largest size that is allowed, packed as densely as is allowed."""
    data = b"".join(bytes(300) + number.to_bytes(4, "big") for number in range(16 * 2**20 // 304))
    steps = Raw(name=b"", data=data, packed=zlib.compress(data, 9, -15), method=8)
    names = [f"points/{number:016x}/attempt-1/steps.h5".encode() for number in range(20)]
    more = {
        f"points/{number:016x}/attempt-1/steps.h5": hashlib.sha256(data).hexdigest() for number in range(20)
    }
    listing = "".join(
        f"{sha256}  {name}\n"
        for name, sha256 in sorted(
            more.items()
            | {
                (name, hashlib.sha256(one).hexdigest())
                for name, one in files.items()
                if "manifest" not in name
            }
        )
    ).encode()
    entries = raw(files | {"manifest-sha256.txt": listing}) + [replace(steps, name=name) for name in names]
    path = tmp_path / "bomb.zip"
    path.write_bytes(raw_zip(sorted(entries, key=lambda one: one.name)))
    tracemalloc.start()
    with pytest.raises(DamagedData, match="no outcome"):
        verified(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 100 * 2**20


def edited(files: Files, pattern: str, old: bytes, new: bytes) -> Files:
    name = next(name for name in sorted(files) if name.endswith(pattern) and old in files[name])
    return files | {name: files[name].replace(old, new, 1)}


def test_a_record_edited_by_one_digit_is_refused(files: Files, tmp_path: Path) -> None:
    forged = edited(files, "outcome.json", b"720588800", b"720588801")
    assert "was changed" in refused(packed(forged), tmp_path)
    assert "checksum" in refused(packed(rehashed(forged)), tmp_path)


def test_steps_edited_behind_a_mended_list_are_refused(files: Files, tmp_path: Path) -> None:
    name = next(name for name in files if name.endswith("steps.h5"))
    data = bytearray(files[name])
    data[-100] ^= 1
    assert "changed or replaced" in refused(packed(rehashed(files | {name: bytes(data)})), tmp_path)


def test_a_replaced_environment_is_refused(files: Files, tmp_path: Path) -> None:
    name = next(name for name in sorted(files) if name.endswith("environment.json"))
    other = encode_environment(environment({"cpu_model": "Faster 9001"}))
    forged = files | {name: other}
    assert "was changed" in refused(packed(forged), tmp_path)
    assert "changed or replaced" in refused(packed(rehashed(forged)), tmp_path)
    resealed = with_outcome(forged, name.rpartition("/")[0], other)
    assert "another environment" in refused(packed(rehashed(resealed)), tmp_path)


def with_outcome(files: Files, place: str, environment_json: bytes, **fields: object) -> Files:
    """The files with an outcome that vouches for this environment."""
    name = f"{place}/outcome.json"
    note = decode_outcome(files[name], name)
    sha256 = dict(note.sha256) | {"environment.json": hashlib.sha256(environment_json).hexdigest()}
    return files | {name: encode_outcome(replace(note, sha256=sha256, **fields))}  # type: ignore[arg-type]


def test_facts_changed_under_an_old_environment_id_are_refused(files: Files, tmp_path: Path) -> None:
    name = next(name for name in sorted(files) if name.endswith("environment.json"))
    ours = environment()
    forged = encode_environment(replace(ours, facts={**ours.facts, "cpu_model": "Faster 9001"}))
    resealed = with_outcome(files | {name: forged}, name.rpartition("/")[0], forged)
    assert "does not follow from its facts" in refused(packed(rehashed(resealed)), tmp_path)


def test_records_of_two_environments_are_refused(files: Files, tmp_path: Path) -> None:
    other = environment({"cpu_model": "Faster 9001"})
    name = next(
        name
        for name in sorted(files)
        if name.endswith("environment.json") and f"{name[:-16]}steps.h5" in files
    )
    data = encode_environment(other)
    resealed = with_outcome(
        files | {name: data}, name.rpartition("/")[0], data, environment_id=other.environment_id
    )
    about = json.loads(resealed["bundle.json"])["content"]
    about["environment_ids"] = sorted([*about["environment_ids"], other.environment_id])
    resealed["bundle.json"] = render("saih bundle", about)
    assert "several environments" in refused(packed(rehashed(resealed)), tmp_path)


def test_a_removed_and_an_added_point_are_refused(files: Files, tmp_path: Path) -> None:
    place = next(name for name in sorted(files) if name.endswith("steps.h5")).rpartition("/")[0]
    fewer = {name: data for name, data in files.items() if not name.startswith(place)}
    assert "was removed" in refused(packed(fewer), tmp_path)
    assert "and holds" in refused(packed(rehashed(fewer)), tmp_path)
    extra = {name.replace(place, place[:-1] + "7"): files[name] for name in files if name.startswith(place)}
    assert "was added" in refused(packed(files | extra), tmp_path)
    assert "it is the outcome of" in refused(packed(rehashed(files | extra)), tmp_path)


def test_a_missing_steps_file_is_refused(files: Files, tmp_path: Path) -> None:
    name = next(name for name in sorted(files) if name.endswith("steps.h5"))
    fewer = {one: data for one, data in files.items() if one != name}
    assert "its outcome lists" in refused(packed(rehashed(fewer)), tmp_path)


def test_records_of_another_sweep_are_refused(files: Files, tmp_path: Path) -> None:
    """Consistent in every checksum, but the definition does not ask for these points."""
    forged = edited(files, "definition.json", b'"width": 4', b'"width": 5')
    content = json.loads(forged["definition.json"])["content"]
    content["run"]["batch_per_rank"] += 1
    forged["definition.json"] = render("saih sweep", content)
    assert "records of another sweep" in refused(packed(rehashed(forged)), tmp_path)


def test_ceilings_of_another_machine_are_refused(files: Files, tmp_path: Path) -> None:
    name = next(name for name in files if name.startswith("ceilings/"))
    elsewhere = f"ceilings/{'0' * 16}/{name.rpartition('/')[2]}"
    moved = {one if one != name else elsewhere: data for one, data in files.items()}
    assert "they are of" in refused(packed(rehashed(moved)), tmp_path)
    content = json.loads(files[name])["content"] | {"environment_id": "0" * 16}
    forged = {one: data for one, data in files.items() if one != name}
    forged[elsewhere] = render("saih ceilings", content)
    assert "of no environment and placement" in refused(packed(rehashed(forged)), tmp_path)


def test_a_newer_schema_is_told_as_such_with_the_saih_that_reads_it(files: Files, tmp_path: Path) -> None:
    content = json.loads(files["bundle.json"])["content"]
    content |= {"bundle_schema": 2, "saih_version": "3.1", "new": 1}
    newer = files | {"bundle.json": render("saih bundle", content), "sweep.parquet": b"new"}
    words = refused(packed(newer), tmp_path)
    assert "has schema 2" in words
    assert "SAIH 3.1" in words


@pytest.mark.parametrize("name", ["../../x", "", "ceilings", "a b", "x" * 101])
def test_a_sweep_name_that_is_none_is_refused(name: str, files: Files, tmp_path: Path) -> None:
    content = json.loads(files["bundle.json"])["content"] | {"name": name}
    assert "cannot be called" in refused(
        packed(rehashed(files | {"bundle.json": render("saih bundle", content)})), tmp_path
    )


@pytest.mark.parametrize(
    "name", ["README.md", "bundle.json", "manifest-sha256.txt", "ro-crate-metadata.json"]
)
def test_a_bundle_without_one_of_its_own_files_is_refused(name: str, files: Files, tmp_path: Path) -> None:
    fewer = {one: data for one, data in files.items() if one != name}
    assert "missing" in refused(packed(fewer), tmp_path)


def test_a_truncated_bundle_is_refused_wherever_it_ends(bundle_path: Path, tmp_path: Path) -> None:
    data = bundle_path.read_bytes()
    for length in (0, 1, 3, 21, 22, 100, len(data) // 2, len(data) - 22, len(data) - 1):
        assert "refused" in refused(data[:length], tmp_path)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "absent", Path("/dev/zero"), Path("x" * 5000)):
        with pytest.raises(UsageError):
            import_file(path, tmp_path / "results", None, is_dry=False)


def tree(path: Path) -> dict[str, bytes]:
    return {
        str(one.relative_to(path)): one.read_bytes()
        for one in sorted(path.rglob("*"))
        if one.is_file() and one.name != "imported.json"
    }


def flip_bits(bundle_path: Path, folder: Path, count: int, seed: int) -> tuple[int, int]:
    """Flip one bit, many times; gives how many were refused, and how many changed nothing in the import."""
    original, generator = bundle_path.read_bytes(), random.Random(seed)
    import_file(bundle_path, folder / "whole", None, is_dry=False)
    expected, num_refused, num_same = tree(folder / "whole"), 0, 0
    for number in range(count):
        data = bytearray(original)
        data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        path, results = folder / "flipped.saih.zip", folder / f"results-{number}"
        path.write_bytes(data)
        try:
            import_file(path, results, None, is_dry=False)
        except DamagedData:
            num_refused += 1
            assert not results.exists()
        else:
            num_same += 1
            assert tree(results) == expected
    return num_refused, num_same


@pytest.mark.slow
def test_each_of_400_flipped_bits_is_refused_or_without_effect(bundle_path: Path, tmp_path: Path) -> None:
    num_refused, num_same = flip_bits(bundle_path, tmp_path, 400, seed=1)
    assert num_refused + num_same == 400
    assert num_refused > 390


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_end_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "random.zip"
    for prefix in (b"", b"PK\x03\x04", b"PK\x05\x06"):
        path.write_bytes(prefix + data)
        with pytest.raises(SaihError):
            verified(path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_change_of_fields_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, files: Files, data: st.DataObject
) -> None:
    """Any fields of any entry: refused, or as if nothing had been changed."""
    fields = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                **dict.fromkeys(("flags", "mode"), st.integers(0, 2**16 - 1)),
                **dict.fromkeys(("size", "crc32", "offset"), st.integers(0, 2**32 - 1)),
                **dict.fromkeys(("name", "packed", "extra"), st.binary(max_size=99)),
                "method": st.integers(0, 99),
            },
        )
    )
    name = data.draw(st.sampled_from(sorted(files)))
    path = tmp_path_factory.getbasetemp() / "fields.zip"
    path.write_bytes(raw_zip(changed(raw(files), name, **fields)))
    try:
        assert verified(path).num_files == len(files)
    except SaihError as error:
        assert isinstance(error, DamagedData)  # noqa: PT017 - both ends are right, a traceback is not


@given(st.text(max_size=60))
def test_a_name_is_refused_or_lies_inside_the_sweep(name: str) -> None:
    if not name_problem(name):
        place = place_in_sweep(name)
        assert max_bytes(name)
        assert not place.is_absolute()
        assert ".." not in place.parts


def test_values_nested_too_deeply_are_refused(files: Files, tmp_path: Path) -> None:
    deep = b'{"content": ' + b"[" * 200_000
    for name in ("bundle.json", "definition.json"):
        assert "refused" in refused(packed(rehashed(files | {name: deep})), tmp_path)


def test_a_point_of_another_folder_is_refused(
    files: Files, tmp_path: Path, make_point: Callable[[int], object]
) -> None:
    name = next(name for name in sorted(files) if name.endswith("point.json"))
    place, data = name.rpartition("/")[0], encode_point(make_point(7))  # type: ignore[arg-type]
    outcome = f"{place}/outcome.json"
    note = decode_outcome(files[outcome], outcome)
    sha256 = dict(note.sha256) | {"point.json": hashlib.sha256(data).hexdigest()}
    forged = files | {name: data, outcome: encode_outcome(replace(note, sha256=sha256))}
    assert "it is point" in refused(packed(rehashed(forged)), tmp_path)

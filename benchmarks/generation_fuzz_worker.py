"""One fuzzed reader in a process that may die: ``generation_fuzz_worker READER FOLDER SEED SECONDS``.

Hypothesis draws what is changed in whole files; each case is written to ``FOLDER/case`` before it is read, so
that it is there when the process is not. More address space than allowed is an error, and a case that takes
too long ends the process by SIGALRM, also inside of libraries. After each round a line tells what became of
its cases; a round is decided by its seed.
"""

import gzip
import itertools
import json
import resource
import shutil
import signal
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from cosmology.dataset import open_dataset
from cosmology.dataset_error import DatasetError
from cosmology.layout import dataset_folders
from cosmology.official_hdf5 import read_official_crops
from cosmology.official_tfrecord import OfficialSample, read_official_samples, write_official_samples
from cosmology.stored_definition import stored_definition
from cosmology.tfrecord import masked_crc32c
from cosmology.verification import verify

MEMORY_BYTES = 128 << 20
"""Beside what the interpreter and its libraries take before the first case."""
CASE_LIMIT_S = 10
_CASES_PER_ROUND = 200
_SAMPLE_BYTES = 1 << 20
_NO_MEMORY = ("memory allocation", "allocate memory", "space available for allocation")
"""In the words of HDF5."""
_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**40, 2**63, 2**64 - 1)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("flip", "set", "number", "cut", "repeat", "zero", "end")),
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 2**16),
    ),
    min_size=1,
    max_size=6,
)
Change = tuple[str, float, int]
Case = tuple[int, list[Change]]
Reader = Callable[[Path, Case], str]


def main() -> None:
    """Read changed files until the time is over."""
    name, folder, first_seed, seconds = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    reader = _READERS[name](folder)
    _limit_memory()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    end_s = time.monotonic() + seconds
    for round_seed in itertools.count(first_seed):
        if time.monotonic() >= end_s:
            return
        outcomes = _round(reader, folder, round_seed)
        print(json.dumps({"outcomes": outcomes, "peak_kib": _peak_kib()}), flush=True)


def _round(reader: Reader, folder: Path, round_seed: int) -> dict[str, int]:
    """What became of the cases of one seed."""
    outcomes: Counter[str] = Counter()

    @seed(round_seed)
    @settings(
        max_examples=_CASES_PER_ROUND,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.tuples(st.integers(0, 2**16), CHANGES))
    def one_case(case: Case) -> None:
        signal.alarm(CASE_LIMIT_S)
        try:
            outcomes[reader(folder, case)] += 1
        except DatasetError as error:
            outcomes[_kind_of(error)] += 1
        except Exception as error:  # what no reader may raise is the finding
            outcomes[f"FAULT {type(error).__name__}: {error}"[:200]] += 1
            shutil.copy(folder / "case", folder / f"fault-{round_seed}-{sum(outcomes.values())}")
        finally:
            signal.alarm(0)

    one_case()
    return dict(outcomes)


def _kind_of(error: DatasetError) -> str:
    """A refusal, unless it came only when there was no more memory to be had."""
    is_memory = isinstance(error.__cause__, MemoryError) or any(words in str(error) for words in _NO_MEMORY)
    return "FAULT memory beyond the limit" if is_memory else "refused"


def _tfrecord_reader(folder: Path) -> Reader:
    """Official samples: changed as files, inside gzip, or inside records whose checksums are right."""
    samples = [OfficialSample(counts=_counts(number), targets=np.zeros(4, np.float32)) for number in range(2)]
    write_official_samples(folder / "plain", samples, gzip_level=None)
    write_official_samples(folder / "packed", samples[:1], gzip_level=6)
    plain, packed = (folder / "plain").read_bytes(), (folder / "packed").read_bytes()
    message = plain[12 : 12 + struct.unpack_from("<Q", plain)[0]]
    forms: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
        (plain, bytes),
        (packed, bytes),
        (plain, lambda changed: gzip.compress(changed, 1)),
        (message, _framed),
        (message, lambda changed: gzip.compress(_framed(changed), 1)),
    )

    def read(folder: Path, case: Case) -> str:
        content, finish = forms[case[0] % len(forms)]
        (folder / "case").write_bytes(finish(_changed(content, case[1])))
        for _ in read_official_samples(folder / "case", max_sample_bytes=_SAMPLE_BYTES):
            pass
        return "read"

    return read


def _hdf5_reader(folder: Path) -> Reader:
    """Official universes in several layouts and versions of the format, small, so that heads are hit."""
    layouts: tuple[dict[str, object], ...] = (
        {},
        {"chunks": (4, 4, 4, 1)},
        {"compression": "gzip", "shuffle": True, "chunks": (4, 8, 8, 1)},
        {"compression": "gzip", "fletcher32": True},
    )
    contents = []
    for libver, layout in itertools.product(("earliest", "latest"), layouts):
        with h5py.File(folder / "whole", "w", libver=libver) as file:
            file.create_dataset("full", data=np.moveaxis(_counts(1)[:1], 0, -1), **layout)
            file["unitPar"] = np.zeros(4)
            file["redshifts"] = np.zeros(1)
        contents.append((folder / "whole").read_bytes())

    def read(folder: Path, case: Case) -> str:
        (folder / "case").write_bytes(_changed(contents[case[0] % len(contents)], case[1]))
        for _ in read_official_crops(folder / "case", 8):
            pass
        return "read"

    return read


def _dataset_reader(folder: Path) -> Reader:
    """A data set of ours, one of whose files is changed: what is read is what was written, or an error."""
    (whole,) = dataset_folders(folder / "data")
    files = {path: path.read_bytes() for path in sorted(whole.iterdir())}
    expected = _read_data_set(folder / "data")

    def read(folder: Path, case: Case) -> str:
        path = list(files)[case[0] % len(files)]
        changed = _changed(files[path], case[1])
        (folder / "case").write_bytes(changed)
        path.write_bytes(changed)
        try:
            damages = [damage for check in verify(whole) for damage in check.damages]
            if changed != files[path] and not damages:
                raise AssertionError(f"{path.name}: a change was not found")
            if _read_data_set(folder / "data") != expected:
                raise AssertionError(f"{path.name}: other samples were read")
        finally:
            path.write_bytes(files[path])
        return "read"

    return read


def _read_data_set(data_folder: Path) -> bytes:
    (folder,) = dataset_folders(data_folder)
    with open_dataset(stored_definition(folder), data_folder) as dataset:
        counts, targets = dataset.read(range(len(dataset)))
    return counts.tobytes() + targets.tobytes()


_READERS = {"tfrecord": _tfrecord_reader, "hdf5": _hdf5_reader, "dataset": _dataset_reader}


def _counts(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    return np.random.default_rng(number).poisson(1, (4, 8, 8, 8)).astype(np.uint16)


def _framed(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    heads = [struct.pack("<I", masked_crc32c(part)) for part in (length, payload)]
    return length + heads[0] + payload + heads[1]


def _changed(content: bytes, changes: list[Change]) -> bytes:
    """The content after every change, each at a share of its length."""
    data = bytearray(content)
    for kind, share, value in changes:
        if not data:
            break
        _change(data, kind, int(share * len(data)), value)
    return bytes(data)


def _change(data: bytearray, kind: str, at: int, value: int) -> None:
    block = slice(at, at + 1 + value % 64)
    if kind == "flip":
        data[at] ^= 1 << value % 8
    elif kind == "number":
        number = struct.pack("<Q", _NUMBERS[value % len(_NUMBERS)])[: (1, 2, 4, 8)[value // 64 % 4]]
        data[at : at + len(number)] = number
    elif kind == "cut":
        del data[block]
    elif kind == "repeat":
        data[at:at] = data[block]
    elif kind == "zero":
        data[block] = bytes(len(data[block]))
    elif kind == "end":
        del data[at:]
    else:
        data[at] = value % 256


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _peak_kib() -> int:
    """Most resident memory so far; that of ``getrusage`` would be its parent's, where this is larger."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0])


if __name__ == "__main__":
    main()

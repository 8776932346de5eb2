"""Samples in the formats of others: are they what others write and read, how fast, and do readers hold out.

``python -m benchmarks.generation --part formats [--quick]``. The peer is the package ``tfrecord``, which
reads and writes TFRecord files by Google's protobuf, in the same process and run. Fuzzing takes 10 minutes,
20 s with ``--quick``; its readers run in processes with limits of memory and time.
"""

import argparse
import functools
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tfrecord.reader import tfrecord_loader
from tfrecord.writer import TFRecordWriter

from benchmarks.bars import judge
from benchmarks.generation_fuzz import HEADER, LIMITS, READERS, fuzz, fuzzed_row
from cosmology.choices import Split
from cosmology.dataset_error import DatasetError
from cosmology.definition import DatasetDefinition
from cosmology.official_import import definition_of, import_source
from cosmology.official_source import ReadingRules, find_source
from cosmology.official_tfrecord import OfficialSample, read_official_sample, write_official_samples
from cosmology.universe import make_universe
from saih.commands.table import table

_SEED = 20260
_TURNS = 5


def main(arguments: Sequence[str]) -> int:
    """Print the tables and their bars; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller samples, 20 s of fuzzing")
    options = parser.parse_args(arguments)
    side = 64 if options.quick else 128
    with tempfile.TemporaryDirectory(prefix="saih-formats-") as name:
        folder = Path(name)
        passed = [
            *_exchange(folder, 50 if options.quick else 500),
            *_rates(folder, _real_sample(side)),
            *_flips(folder, 300 if options.quick else 3000),
        ]
    passed += _fuzzing(20 if options.quick else 600)
    return 0 if all(passed) else 1


def _exchange(folder: Path, num_samples: int) -> list[bool]:
    """Ours read by the package, and the package's read by us, plain and gzip."""
    equal = {"ours, plain": 0, "ours, gzip": 0, "theirs": 0}
    for number in range(num_samples):
        sample = _random_sample(number)
        for name, level in (("ours, plain", None), ("ours, gzip", 6)):
            write_official_samples(folder / "ours", [sample], gzip_level=level)
            equal[name] += _is_same(sample, _read_by_package(folder / "ours", is_gzip=level is not None))
        _write_by_package(folder / "theirs", sample)
        equal["theirs"] += _is_same(sample, read_official_sample(folder / "theirs"))
    rows = [(name, str(count), str(num_samples)) for name, count in equal.items()]
    print(table(("files", "read equal", "of"), rows))
    return [judge("samples exchanged with tfrecord", sum(equal.values()) / 3 / num_samples, "", ">=", 1)]


def _rates(folder: Path, sample: OfficialSample) -> list[bool]:
    """Ours and the package's in turns, in the bytes of the counts a second; theirs checks no checksum."""
    paths = {name: folder / name for name in ("plain", "gzip", "theirs")}
    steps: dict[str, Callable[[], object]] = {
        "write plain, ours": lambda: write_official_samples(paths["plain"], [sample], gzip_level=None),
        "write plain, tfrecord": lambda: _write_by_package(paths["theirs"], sample),
        "write gzip-6, ours": lambda: write_official_samples(paths["gzip"], [sample]),
        "read plain, checksums verified, ours": lambda: read_official_sample(paths["plain"]),
        "read plain, unverified, tfrecord": lambda: _read_by_package(paths["plain"], is_gzip=False),
        "read gzip, checksums verified, ours": lambda: read_official_sample(paths["gzip"]),
        "read gzip, unverified, tfrecord": lambda: _read_by_package(paths["gzip"], is_gzip=True),
        "import gzip to a data set, ours": lambda: _import(paths["gzip"], folder / "data"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(_TURNS):
        for name, step in steps.items():
            begin_s = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - begin_s)
    rates = {name: sample.counts.nbytes / 1e6 / statistics.median(times) for name, times in seconds.items()}
    ratio = sample.counts.nbytes / paths["gzip"].stat().st_size
    print(f"\n{sample.counts.shape} counts of a universe; gzip-6 makes them {ratio:.2f} times smaller")
    print(table(("what", "MB/s"), [(name, f"{rate:.0f}") for name, rate in rates.items()]))
    ours, theirs = rates["read plain, checksums verified, ours"], rates["read plain, unverified, tfrecord"]
    packed = rates["read gzip, checksums verified, ours"] / rates["read gzip, unverified, tfrecord"]
    return [
        judge("verified plain read against tfrecord's unverified", ours / theirs, "x", ">=", 1),
        judge("verified gzip read against tfrecord's unverified", packed, "x", ">=", 1),
    ]


def _flips(folder: Path, num_flips: int) -> list[bool]:
    """One bit flipped anywhere in a file: told, or, in gzip's own head, without effect on what is read."""
    random, sample = np.random.default_rng(_SEED), _random_sample(1)
    silent = 0
    rows = []
    for name, level in (("plain", None), ("gzip", 6)):
        write_official_samples(folder / "flips", [sample], gzip_level=level)
        whole, told = (folder / "flips").read_bytes(), 0
        for bit in random.integers(0, 8 * len(whole), num_flips):
            damaged = bytearray(whole)
            damaged[bit // 8] ^= 1 << bit % 8
            (folder / "flips").write_bytes(damaged)
            try:
                found = read_official_sample(folder / "flips")
            except DatasetError:
                told += 1
            else:
                silent += not _is_same(sample, found)
        rows.append((name, str(num_flips), str(told)))
    print()
    print(table(("file", "bits flipped", "told"), rows))
    return [judge("flipped bits that change a sample silently", silent, "", "<=", 0)]


def _fuzzing(seconds: float) -> list[bool]:
    found = [fuzz(reader, _SEED, seconds / len(READERS)) for reader in READERS]
    print(f"\nHypothesis changes files for {seconds:g} s from seed {_SEED} on; {LIMITS}")
    print(table(HEADER, [fuzzed_row(one) for one in found]))
    for one in found:
        for line in (*one.faults, *one.deaths):
            print(f"{one.reader}: {line}")
    faults = sum(sum(one.faults.values()) for one in found)
    crashes = sum(len(one.deaths) - one.num_hangs for one in found)
    return [
        judge("fuzzed files", sum(one.num_cases for one in found), "", ">=", 10 * seconds),
        judge("errors that are not a DatasetError", faults, "", "<=", 0),
        judge("crashes", crashes, "", "<=", 0),
        judge("hangs", sum(one.num_hangs for one in found), "", "<=", 0),
    ]


def _random_sample(number: int) -> OfficialSample:
    random = np.random.default_rng(number)
    counts = random.poisson(random.lognormal(0, 1, (4, 16, 16, 16))).astype(np.uint16)
    return OfficialSample(counts=counts, targets=random.uniform(-1, 1, 4).astype(np.float32))


@functools.cache
def _real_sample(side: int) -> OfficialSample:
    definition = DatasetDefinition(
        seed=_SEED, num_samples=1, num_universes=1, resolution=side, force_mesh_factor=1, num_steps=10
    )
    universe = make_universe(definition.universes, 0)
    return OfficialSample(counts=universe.counts, targets=np.array(universe.targets, np.float32))


def _is_same(one: OfficialSample, other: OfficialSample) -> bool:
    return np.array_equal(one.counts, other.counts) and np.array_equal(one.targets, other.targets)


def _read_by_package(path: Path, *, is_gzip: bool) -> OfficialSample:
    packing = "gzip" if is_gzip else None
    (found,) = tfrecord_loader(str(path), None, {"x": "byte", "y": "float"}, compression_type=packing)
    counts = np.frombuffer(found["x"], np.uint16)
    side = round((len(counts) / 4) ** (1 / 3))
    first = np.ascontiguousarray(np.moveaxis(counts.reshape(side, side, side, 4), -1, 0))
    return OfficialSample(counts=first, targets=found["y"])


def _import(path: Path, data_folder: Path) -> None:
    """A sample to a sealed data set, which is removed first."""
    shutil.rmtree(data_folder, ignore_errors=True)
    source_folder = data_folder / "source"
    source_folder.mkdir(parents=True)
    (source_folder / "universe_000.tfrecord").symlink_to(path)
    rules = ReadingRules()
    source = find_source(source_folder, rules)
    import_source(source, definition_of(source, Split.TRAIN), data_folder, rules, lambda *_: None)


def _write_by_package(path: Path, sample: OfficialSample) -> None:
    last = np.ascontiguousarray(np.moveaxis(sample.counts, 0, -1))
    writer = TFRecordWriter(str(path))
    writer.write({"x": (last.tobytes(), "byte"), "y": (sample.targets.tolist(), "float")})
    writer.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

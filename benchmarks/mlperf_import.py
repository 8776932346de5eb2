"""Whether the import of MLPerf HPC CosmoFlow logs gives the figures that are known of the public logs.

DIR holds the folders of one or several rounds at any depth, such as clones of hpc_results_v0.7,
hpc_results_v1.0 and hpc_results_v3.0 of https://github.com/mlcommons. Each folder of the corpus that is found
there is imported anew; the table holds what came out against the reference figures, within 1 %
(or one in the last printed digit). What is not found is said, and fails nothing. Figures are computed
from the public logs; they are not official MLPerf scores.

    python -m benchmarks.mlperf_import --logs DIR
"""

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from saih.domain.interval import median
from saih.interchange.corpus import Submission, efficiencies, submissions
from saih.interchange.mlperf_hpc import Submission as Imported
from saih.interchange.mlperf_hpc import read_submissions
from saih.interchange.mlperf_point import TRAINING_FLOP_PER_SAMPLE
from saih.interchange.mlperf_run import mean_staging_share

TOLERANCE = 0.01
# TFLOP/s of a device and percent of its maker's peak as the reference prints them, by system and devices.
PRINTED = {
    ("Selene", "v1.0", 128): ("12.9", "4.2"),
    ("Selene", "v1.0", 1024): ("12.1", "3.9"),
    ("JUWELS Booster", "v1.0", 512): ("9.6", "3.1"),
    ("JUWELS Booster", "v1.0", 1024): ("9.3", "3.0"),
    ("Perlmutter", "v1.0", 512): ("10.2", "3.3"),
    ("Perlmutter", "v1.0", 1024): ("10.1", "3.3"),
    ("ABCI", "v0.7", 512): ("5.4", "4.3"),
    ("ABCI", "v0.7", 2048): ("4.9", "3.9"),
    ("Longhorn", "v1.0", 128): ("2.3", "1.8"),
    ("Fugaku", "v1.0", 512): ("0.75", "11.1"),
    ("Piz Daint", "v0.7", 128): ("1.14", "12.3"),
}
EFFICIENCIES = {
    ("Selene", "v1.0"): "93.9",
    ("JUWELS Booster", "v1.0"): "96.9",
    ("ABCI", "v0.7"): "91.3",
}
STAGING = {
    ("Selene", "v1.0", 128): "22.7",
    ("Selene", "v1.0", 1024): "21.5",
    ("JUWELS Booster", "v1.0", 1024): "14.4",
    ("Perlmutter", "v1.0", 512): "12.3",
    ("Fugaku", "v1.0", 512): "0.8",
}
WITH_LATER = {("Eos", "v3.0", 512): "206"}
"""Samples/s of a device when the epochs after the timed run count, too."""
SLOW = {("Selene", "v1.0", 1024): (10, 344), ("Longhorn", "v1.0", 128): (9, 200)}
SLOW_COST = {("Longhorn", "v1.0", 128): "3.9"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A folder of the corpus, imported anew."""

    reference: Submission
    imported: Imported
    samples_per_s: float

    @property
    def key(self) -> tuple[str, str, int]:
        """By which the reference tables know it."""
        return self.reference.system, self.reference.round, self.reference.num_devices

    @property
    def per_device(self) -> float:
        """Samples/s of one device."""
        return self.samples_per_s / self.reference.num_devices


def main(arguments: list[str]) -> int:
    """Print the table and the bars; 1 if a bar fails or nothing was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--logs", type=Path, required=True, metavar="DIR", help="folder of the rounds' results"
    )
    folder = parser.parse_args(arguments).logs
    found = [one for reference in submissions() if (one := _find(folder, reference)) is not None]
    known = {one.key for one in found}
    print(f"{'system':34}{'batch':>6}{'samples/s':>11}{'a device':>10}{'TFLOP/s':>9}{'% peak':>8}{'runs':>6}")
    for one in found:
        print(_row(one))
    bars = [
        bar
        for bars in (_rates(found), _shares(found), _scaling(found), _staging(found), _slow(found))
        for bar in bars
    ]
    for reference in submissions():
        if (reference.system, reference.round, reference.num_devices) not in known:
            print(f"not found below {folder}: {reference.name} ({reference.folder})")
    print("not found in any stored log: 115 samples/s of an A100, models per minute of the weak results")
    return 0 if bars and all(bars) else 1


def _find(folder: Path, reference: Submission) -> Found | None:
    """The folder whose path ends as the corpus says, in the round's own copy where there are several."""
    candidates = sorted(
        path
        for path in folder.rglob(Path(reference.folder).name)
        if str(path).endswith(f"/{reference.folder}")
    )
    candidates = [path for path in candidates if reference.round in str(path)] or candidates
    if not candidates:
        return None
    (imported,), _ = read_submissions(candidates[0])
    rates = [rate for run in imported.runs for rate in run.rates]
    return Found(reference=reference, imported=imported, samples_per_s=median(rates))


def _row(one: Found) -> str:
    flops = one.per_device * TRAINING_FLOP_PER_SAMPLE
    share = flops / one.reference.device.peak_flops_per_s
    return (
        f"{one.reference.name:34}{one.reference.global_batch:6}{one.samples_per_s:11.0f}{one.per_device:10.2f}"
        f"{flops / 1e12:9.2f}{share:8.2%}{len(one.imported.runs):6}"
    )


def _rates(found: Iterable[Found]) -> list[bool]:
    bars = []
    for one in found:
        printed = f"{one.reference.samples_per_s:.0f}"
        bars.append(_bar(f"samples/s, {one.reference.name}", one.samples_per_s, printed))
        if one.key in WITH_LATER:
            rates = [rate for run in one.imported.runs for rate in (*run.rates, *run.later_rates)]
            name = f"samples/s of a device, {one.reference.name}, with the epochs after the timed run"
            bars.append(_bar(name, median(rates) / one.reference.num_devices, WITH_LATER[one.key]))
    return bars


def _shares(found: Iterable[Found]) -> list[bool]:
    bars = []
    for one in found:
        printed = PRINTED.get(one.key)
        if printed is None:
            continue
        flops = one.per_device * TRAINING_FLOP_PER_SAMPLE
        bars.append(_bar(f"TFLOP/s of a device, {one.reference.name}", flops / 1e12, printed[0]))
        share = 100 * flops / one.reference.device.peak_flops_per_s
        bars.append(_bar(f"% of maker's peak, {one.reference.name}", share, printed[1]))
    return bars


def _scaling(found: Iterable[Found]) -> list[bool]:
    per_device = {one.key: one.per_device for one in found}
    bars = []
    for pair in efficiencies():
        small, large = ((one.system, one.round, one.num_devices) for one in (pair.small, pair.large))
        printed = EFFICIENCIES.get(small[:2])
        if printed and small in per_device and large in per_device:
            efficiency = 100 * per_device[large] / per_device[small]
            bars.append(_bar(f"% efficiency, {pair.name}", efficiency, printed))
    return bars


def _staging(found: Iterable[Found]) -> list[bool]:
    return [
        _bar(f"% staging of time to train, {one.reference.name}", 100 * share, STAGING[one.key])
        for one in found
        if one.key in STAGING and (share := mean_staging_share(one.imported.runs)) is not None
    ]


def _slow(found: Iterable[Found]) -> list[bool]:
    bars = []
    for one in found:
        runs = one.imported.runs
        if one.key in SLOW:
            count, total = sum(len(run.slow_epochs) for run in runs), sum(len(run.epochs) for run in runs)
            passed = (count, total) == SLOW[one.key]
            text = f"{count} of {total} (bar = {SLOW[one.key][0]} of {SLOW[one.key][1]})"
            print(f"BAR slow epochs, {one.reference.name}: {text} {'PASS' if passed else 'FAIL'}")
            bars.append(passed)
        if one.key in SLOW_COST:
            cost = 100 * sum(run.slow_share or 0 for run in runs) / len(runs)
            bars.append(
                _bar(f"% of run time lost to slow epochs, {one.reference.name}", cost, SLOW_COST[one.key])
            )
    return bars


def _bar(name: str, value: float, printed: str) -> bool:
    """Print and judge one figure against its reference as printed there."""
    reference = float(printed)
    last_digit = 10.0 ** -len(printed.partition(".")[2])
    allowed = max(TOLERANCE * reference, last_digit if last_digit < 1 else 0.0)
    passed = abs(value - reference) <= allowed
    print(f"BAR {name}: {value:.6g} (bar = {printed} +- {allowed:.2g}) {'PASS' if passed else 'FAIL'}")
    return passed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

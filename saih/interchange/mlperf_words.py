"""What a reader must know before comparing a public MLPerf HPC result with anything."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from saih.domain.interval import median
from saih.domain.quantity import counted, percent
from saih.domain.system import Key, SystemPoint
from saih.interchange.accelerator import accelerator
from saih.interchange.mlperf_description import SystemDescription
from saih.interchange.mlperf_point import NOT_TOLD
from saih.interchange.mlperf_run import SLOW, Run, StagingPlace

_STANDING = (
    "Computed from the public logs: not an official MLPerf score, not verified by MLCommons Association.",
    "The MLPerf name and logo are trademarks of MLCommons Association in the United States and elsewhere.",
    (
        "Every point is the reference problem: 128^3 x 4 inputs and the reference network of 192.09 GFLOP a "
        "sample (3 x forward without the first layer's input gradient). Nothing is known of other sizes."
    ),
    (
        "Rates are medians over epochs of the training part with its input; evaluation, staging and start-up "
        "do not count. Epochs of a run depend on each other: their interval lacks the noise between runs."
    ),
    (
        "The logs do not tell the precision. Public implementations train in 16-bit mixed precision on GPUs; "
        "a comparison with another precision is one of precisions, too."
    ),
    "The data are the simulations of the benchmark, in its own files, not those that SAIH makes.",
)
_STAGING = {
    StagingPlace.INSIDE: "the time to train holds the staging of the data (as the rules to v2.0 ask)",
    StagingPlace.OUTSIDE: "the time to train does not hold the staging of the data (allowed since v3.0)",
    StagingPlace.UNTOLD: "the logs tell of no staging",
}


def facts(
    runs: Sequence[Run], description: SystemDescription, points: Sequence[SystemPoint], path: Path
) -> dict[str, str]:
    """The system, its software and its results, as far as logs and description tell; ranges are over runs."""
    shares = [one.staging_share for one in runs]
    times = [None if one.time_to_train_ms is None else one.time_to_train_ms / 6e4 for one in runs]
    return {
        "organisation": _told(run.organisation for run in runs),
        "division": _told(run.division for run in runs),
        "platform": _told(run.platform for run in runs),
        "accelerator": description.accelerator or NOT_TOLD,
        "processor": description.processor or NOT_TOLD,
        "framework": description.framework or NOT_TOLD,
        "precision": NOT_TOLD,
        "source": str(path),
        "what is timed": "training part of each epoch with its input",
        "runs": str(len(runs)),
        "time to train [minutes]": _range(times),
        "staging over time to train [%]": _range([None if one is None else 100 * one for one in shares]),
        "mean absolute error at the end": _range([run.quality for run in runs]),
        "share of the maker's peak [%]": _range([_percent_of_peak(point) for point in points]),
    }


def cautions(runs: Sequence[Run], points: Sequence[SystemPoint]) -> tuple[str, ...]:
    """One sentence each; those on this system after those on all."""
    own = (
        *_staging(runs),
        *_division(runs),
        *_unknown(points),
        *_mixed(points),
        *_slow(runs),
        *_later(runs),
        *_unended(runs),
        *_unsuccessful(runs),
    )
    return (*_STANDING, *own)


def _told(values: Iterable[str]) -> str:
    return " / ".join(dict.fromkeys(value for value in values if value)) or NOT_TOLD


def _range(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return NOT_TOLD
    low, high = f"{min(known):.3g}", f"{max(known):.3g}"
    return low if low == high else f"{low} to {high}"


def _percent_of_peak(point: SystemPoint) -> float | None:
    known = accelerator(point.device)
    num_devices = point.num_gpus or (point.num_nodes if point.num_gpus == 0 else None)
    if known is None or point.flops_per_s is None or not num_devices:
        return None
    return 100 * point.flops_per_s.value / (num_devices * known.peak_flops_per_s)


def _staging(runs: Sequence[Run]) -> list[str]:
    places = list(dict.fromkeys(run.staging_place for run in runs))
    said = [f"{_STAGING[place]} ({_some(runs, place)})" for place in places]
    return [f"By the order of events {'; '.join(said)}: compare times to train only where both do the same."]


def _division(runs: Sequence[Run]) -> list[str]:
    if not any(run.division == "open" for run in runs):
        return []
    return [
        (
            "Runs of the open division may have changed the network; FLOP/s and shares of peak assume the "
            "reference's."
        )
    ]


def _unknown(points: Sequence[SystemPoint]) -> list[str]:
    said = []
    for what, is_unknown in (
        ("nodes", lambda point: point.num_nodes is None),
        ("GPUs", lambda point: point.num_gpus is None),
        ("ranks", lambda point: point.num_ranks is None),
    ):
        count = sum(map(is_unknown, points))
        if count:
            said.append(
                f"The number of {what} of {count} of {counted(len(points), 'point')} is told neither by the "
                "logs nor by a system description beside them; nothing is divided by it."
            )
    return said


def _mixed(points: Sequence[SystemPoint]) -> list[str]:
    folders: dict[Key, set[str]] = {}
    for point in points:
        folders.setdefault(point.key, set()).add(point.record_id.rpartition("/")[0])
    most = max((len(found) for found in folders.values()), default=1)
    if most < 2:
        return []
    return [
        (
            f"Runs of up to {most} submissions ask the same and are taken for repeats of one another; give "
            "the folder of one submission to keep them apart."
        )
    ]


def _slow(runs: Sequence[Run]) -> list[str]:
    count = sum(len(run.slow_epochs) for run in runs)
    if not count:
        return []
    shares = [share for run in runs if (share := run.slow_share) is not None]
    cost = f", which cost {percent(sum(shares) / len(shares))} of the run time" if shares else ""
    total = sum(len(run.epochs) for run in runs)
    return [
        (
            f"{count} of {total} epochs took more than {SLOW:g} x the median of their run{cost}; "
            "the logs do not flag them."
        )
    ]


def _later(runs: Sequence[Run]) -> list[str]:
    rates = [rate for run in runs for rate in run.later_rates]
    if not rates:
        return []
    return [
        (
            f"The logs go on after the timed runs: {counted(len(rates), 'epoch')} with a median of "
            f"{median(rates):.4g} samples/s that do not count here."
        )
    ]


def _unended(runs: Sequence[Run]) -> list[str]:
    count = sum(run.num_unended for run in runs)
    return [f"{counted(count, 'epoch')} without an end or a duration do not count."] if count else []


def _unsuccessful(runs: Sequence[Run]) -> list[str]:
    odd = [run for run in runs if run.status != "success"]
    if not odd:
        return []
    words = ", ".join(dict.fromkeys(run.status or "no status" for run in odd))
    return [
        (
            f"{len(odd)} of {counted(len(runs), 'run')} did not end with success ({words}); their epochs "
            "count, their time to train does not mean a trained network."
        )
    ]


def _some(runs: Sequence[Run], place: StagingPlace) -> str:
    count = sum(run.staging_place is place for run in runs)
    return "all runs" if count == len(runs) else f"{count} of {counted(len(runs), 'run')}"

"""Series from MLPerf logs of any benchmark: time of an epoch and of a run over the number of devices.

Logs of one benchmark, organisation and device make one series of each; every run is a repeat. The number of
devices comes from the log, or from the system description that submissions keep beside their logs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from saih.domain.errors import DamagedData, UsageError
from saih.domain.interval import median
from saih.domain.quantity import counted
from saih.domain.series import ENVIRONMENT, Reading, Series, SeriesKind
from saih.interchange.mllog import MAX_LOG_BYTES, TOKEN, parse
from saih.interchange.mlperf_description import SystemDescription, description_beside
from saih.interchange.mlperf_hpc import files_below
from saih.interchange.mlperf_point import Scale, scale_of
from saih.interchange.mlperf_run import Run, runs_of
from saih.interchange.series_rows import UNTOLD, Row, Told, series_of

_SUCCESS = "success"
_FEWEST_EPOCHS = 3
"""From so many on, the first epoch does not count: it holds what is done once, such as compilation."""
_WEAK_TOLERANCE = 0.01
_MAX_REMARKS = 20
_UNKNOWN = Scale(num_nodes=None, gpus_per_node=None, num_ranks=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A run, what describes its system, and the devices that it used."""

    place: str
    run: Run
    description: SystemDescription
    num_devices: int
    axis: str


def read_mllog_series(path: Path, told: Told = UNTOLD) -> tuple[Series, ...]:
    """The series of the logs at or below ``path``.

    Raises:
        UsageError: when there is no log with a run of a known scale.
        DamagedData: when there are logs, and none can be read.
    """
    placed: list[_Placed] = []
    remarks: list[str] = []
    refused: list[DamagedData] = []
    for file in files_below(path):
        try:
            for one in _placed(file, path):
                if isinstance(one, str):
                    remarks.append(one)
                else:
                    placed.append(one)
        except DamagedData as error:
            refused.append(error)
            remarks.append(f"{error.problem}; this log takes no part.")
    if not placed and refused:
        raise refused[0]
    if not placed:
        raise UsageError(
            f"no log of {path} tells how long it took on how many devices"
            + (f": {remarks[0]}" if remarks else ""),
            f"give logs with {TOKEN} lines, in the results folder of a submission beside its systems folder.",
        )
    return series_of(list(_rows(placed)), str(path), told, _few(remarks))


def _few(remarks: Sequence[str]) -> tuple[str, ...]:
    left = len(remarks) - _MAX_REMARKS
    return (*remarks[:_MAX_REMARKS], *((f"... and {left} more.",) if left > 0 else ()))


def _placed(file: Path, root: Path) -> Iterator[_Placed | str]:
    with file.open("rb") as stream:
        content = stream.read(MAX_LOG_BYTES + 1)
    if TOKEN.encode() not in content:
        return
    place = str(file.relative_to(root)) if root.is_dir() else file.name
    description = description_beside(file)
    for run in runs_of(parse(content, str(file)), file.name):
        name = place if run.source == file.name else f"{place}{run.source.removeprefix(file.name)}"
        scale = scale_of(run, description, _UNKNOWN)
        if not scale.num_devices:
            yield f"{name}: neither the log nor a system description tells its devices; it takes no part."
            continue
        yield from _left_out(run, name)
        axis = "nodes" if scale.num_gpus == 0 else "devices"
        yield _Placed(place=name, run=run, description=description, num_devices=scale.num_devices, axis=axis)


def _left_out(run: Run, name: str) -> Iterator[str]:
    """What of a run takes no part."""
    if run.num_unended:
        yield f"{name}: {counted(run.num_unended, 'epoch')} without an end or a duration: not counted."
    if run.time_to_train_ms is not None and run.status != _SUCCESS:
        how = f'as "{run.status}"' if run.status else "without a status"
        yield f"{name}: the run ended {how}: its time to train is not counted."


def _rows(placed: Sequence[_Placed]) -> Iterator[Row]:
    groups: dict[tuple[str, str], list[_Placed]] = {}
    for one in placed:
        groups.setdefault((one.run.organisation, one.run.benchmark), []).append(one)
    for (organisation, benchmark), group in groups.items():
        name = " ".join(part for part in (organisation, benchmark) if part) or "unnamed benchmark"
        kind = _kind(group)
        for one in group:
            yield from _readings(one, name, kind)


def _readings(one: _Placed, name: str, kind: SeriesKind) -> Iterator[Row]:
    lengths = [epoch.duration_ms / epoch.num_epochs for epoch in one.run.epochs]
    steady = lengths[1:] if len(lengths) >= _FEWEST_EPOCHS else lengths
    if steady:
        yield _row(one, f"{name}: epoch", kind, median(steady) / 1e3)
    if one.run.time_to_train_ms is not None and one.run.status == _SUCCESS:
        yield _row(one, f"{name}: run", kind, one.run.time_to_train_ms / 1e3)


def _row(one: _Placed, series: str, kind: SeriesKind, seconds: float) -> Row:
    facts = {
        ENVIRONMENT: one.description.accelerator or one.description.processor,
        "framework": one.description.framework,
        "global batch": str(one.run.global_batch or ""),
        "train samples": str(one.run.train_samples or ""),
    }
    return Row(
        series=f"{series} over {one.axis}",
        axis=one.axis,
        kind=kind,
        unit="s",
        phase="",
        reading=Reading(
            size=float(one.num_devices),
            value=seconds,
            written=f"{seconds:.6g}",
            place=one.place,
            facts={key: value for key, value in facts.items() if value},
        ),
    )


def _kind(group: Sequence[_Placed]) -> SeriesKind:
    """Weak where the samples of an epoch grow with the devices; else all devices share one data set."""
    known = [(one.run.train_samples, one.num_devices) for one in group if one.run.train_samples]
    shares = [samples / devices for samples, devices in known]
    is_one_scale = len({devices for _, devices in known}) < 2
    if not shares or is_one_scale or max(shares) / min(shares) > 1 + _WEAK_TOLERANCE:
        return SeriesKind.STRONG
    return SeriesKind.WEAK

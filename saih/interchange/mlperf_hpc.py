"""MLPerf HPC CosmoFlow results as a system to compare with, computed from their public logs.

``read_system(path, name)`` takes a log, or a folder with logs at any depth. Each run is a point; runs that
ask the same are repeats, which tell how far runs differ.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from saih.domain.errors import DamagedData, SaihError, UsageError
from saih.domain.system import System
from saih.interchange.mllog import MAX_LOG_BYTES, TOKEN, parse
from saih.interchange.mlperf_description import SystemDescription, description_beside
from saih.interchange.mlperf_point import Given, Scale, point_of
from saih.interchange.mlperf_run import Run, runs_of
from saih.interchange.mlperf_words import cautions, facts

BENCHMARK = "cosmoflow"
MAX_FILES = 5_000
_MAX_LISTED = 5
OWN_KEY = "saih_record"
"""Event of the logs that SAIH writes: their problem need not be that of the benchmark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The runs of one folder, and what describes their system."""

    folder: Path
    runs: tuple[Run, ...]
    description: SystemDescription


def read_system(
    path: Path,
    name: str,
    *,
    nodes: int | None = None,
    gpus_per_node: int | None = None,
    precision: str = "",
) -> System:
    """The CosmoFlow results in a log, or in the logs below a folder, as a system called ``name``.

    ``nodes`` and ``gpus_per_node`` stand in where neither the logs nor the system description beside them
    tell; ``precision`` is the user's word for what no log tells. What stays unknown is None in the points,
    and the cautions say so.

    Raises:
        UsageError: when there is no CosmoFlow log there, or one that SAIH wrote.
        DamagedData: when no log there can be read.
    """
    submissions, refused = read_submissions(path)
    scale = Scale(num_nodes=nodes, gpus_per_node=gpus_per_node, num_ranks=None)
    given = Given(scale=scale, precision=precision)
    points, unusable = [], list(refused)
    for submission in submissions:
        for run in submission.runs:
            point = point_of(_label(path, submission), run, submission.description, given)
            if isinstance(point, str):
                unusable.append(point)
            else:
                points.append(point)
    if not points:
        raise DamagedData(
            f"no run in {path} tells how fast it was: {'; '.join(unusable[:_MAX_LISTED])}",
            "give logs with train_samples and epochs that begin and end.",
        )
    runs = [run for one in submissions for run in one.runs]
    return System(
        name=name,
        kind="mlperf",
        facts={
            **facts(runs, submissions[0].description, points, path),
            **({"precision": f"{precision}, as given by the user"} if precision else {}),
        },
        cautions=cautions(runs, points),
        points=tuple(points),
        size_labels={"ranks": "ranks"},
        failed=tuple(unusable),
    )


def read_submissions(path: Path) -> tuple[tuple[Submission, ...], tuple[str, ...]]:
    """The runs of each folder at or below ``path``, and what cannot be read there, one sentence each.

    Raises:
        UsageError: when there is no CosmoFlow log.
        DamagedData: when there are logs, and none can be read.
    """
    runs: dict[Path, list[Run]] = {}
    refused: list[DamagedData] = []
    for file in files_below(path):
        try:
            for run in _runs(file):
                runs.setdefault(file.parent, []).append(run)
        except DamagedData as error:
            refused.append(error)
    if not runs and refused:
        raise refused[0]
    if not runs:
        raise UsageError(
            f"{path} holds no MLPerf log of {BENCHMARK}",
            f"give a log with {TOKEN} lines whose submission_benchmark is {BENCHMARK}, or a folder of them.",
        )
    found = tuple(
        Submission(folder=folder, runs=tuple(of_folder), description=description_beside(folder / "log"))
        for folder, of_folder in sorted(runs.items())
    )
    return found, tuple(error.problem for error in refused)


def _runs(file: Path) -> tuple[Run, ...]:
    with file.open("rb") as stream:
        content = stream.read(MAX_LOG_BYTES + 1)
    if TOKEN.encode() not in content:
        return ()
    events = parse(content, str(file))
    if any(event.key == OWN_KEY for event in events):
        raise UsageError(
            f"the log {file} was written by `saih export`",
            "compare the sweep that it was written from; its records hold more.",
        )
    return tuple(run for run in runs_of(events, file.name) if run.benchmark.casefold() == BENCHMARK)


def files_below(path: Path) -> Iterator[Path]:
    """The file at ``path``, or all files at any depth below a folder, in order; links are not followed.

    Raises:
        UsageError: when there is nothing, or too much.
    """
    if not path.is_dir():
        if not path.is_file():
            raise UsageError(f"there is no log or folder {path}", "check the path.")
        yield path
        return
    count = 0
    for folder, below, names in os.walk(path, onerror=_unreadable):
        below.sort()
        for name in sorted(names):
            file = Path(folder) / name
            if not file.is_file() or file.is_symlink():
                continue
            count += 1
            if count > MAX_FILES:
                raise UsageError(
                    f"{path} holds more than {MAX_FILES} files", "give the folder of one system."
                )
            yield file


def _unreadable(error: OSError) -> None:
    raise SaihError(f"{error.filename} cannot be read: {error.strerror}", "check its permissions.") from error


def _label(path: Path, submission: Submission) -> str:
    """Where the runs stand, from the system's own folder on where the path shows it."""
    parts = submission.folder.resolve().parts
    if "results" in parts[:-1]:
        begin = len(parts) - 1 - parts[::-1].index("results")
        return "/".join(parts[begin + 1 :])
    inner = submission.folder.relative_to(path) if path.is_dir() else Path()
    return "/".join((submission.folder.resolve().name, *inner.parts)) if not inner.parts else str(inner)

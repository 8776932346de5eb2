"""A campaign: everything that one call does for a sweep, resumable after any end."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from saih.domain.errors import DamagedData, SaihError
from saih.domain.job import Task
from saih.domain.point import Placement, Point
from saih.domain.record import Environment, Outcome
from saih.launch.event import message
from saih.launch.interruption import interruption
from saih.launch.job_run import OnEvent, Options, Surroundings, ended_early, require_done, run_job
from saih.launch.lock import sweep_lock
from saih.launch.mpirun import find_launcher
from saih.store.attempt import read_outcome
from saih.store.ceilings_file import read_ceilings
from saih.store.environment_guard import require_same_environment
from saih.store.files import remove_temporaries
from saih.store.point_state import PointState
from saih.store.retry import set_failures_aside
from saih.store.sweep_folder import SweepFolder, point_states


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignResult:
    """What became of all points, and what this campaign added."""

    states: Mapping[str, PointState]
    num_measured: int
    """Attempts that got an outcome other than LOST."""
    num_lost: int
    """Attempts whose ranks ended without an outcome."""


def run(
    folder: SweepFolder,
    points: Sequence[Point],
    data_folder: Path,
    environment: Environment,
    on_event: OnEvent,
    options: Options,
) -> CampaignResult:
    """Generate, measure ceilings, and measure every point that has no outcome yet.

    The same call continues after any end of an earlier one. Interrupt once to stop after cleaning up.

    Raises:
        UsageError: another driver runs this sweep, or its records come from another environment.
        EnvironmentMissing: without a usable MPI.
        Interrupted: when a signal asked to stop; its exit code is 128 + the signal's number.
        SaihError: when the worker says so, or ends before it begins a point.
    """
    launcher = find_launcher()
    lock_path = folder.path / "lock"

    def warn(text: str) -> None:
        on_event(message(text))

    with interruption() as asked, sweep_lock(lock_path, options.lock_patience_s, warn) as lock:
        remove_temporaries(folder.path)
        if options.is_retrying_failed:
            set_failures_aside(folder, [point.point_id for point in points])
        require_same_environment(folder, environment)
        around = Surroundings(
            folder=folder,
            data_folder=data_folder,
            environment=environment,
            on_event=on_event,
            options=options,
            launcher=launcher,
            lock=lock,
            asked=asked,
        )
        counts: Counter[Outcome] = Counter()
        for placement, group in _groups(_to_measure(folder, points)).items():
            counts += _run_placement(around, placement, group)
        return CampaignResult(
            states=point_states(folder, [point.point_id for point in points]),
            num_measured=counts.total() - counts[Outcome.LOST],
            num_lost=counts[Outcome.LOST],
        )


def order_key(seed: int, point: Point) -> bytes:
    """Sorting by this shuffles points by the seed; what is left after a stop keeps its order."""
    return hashlib.sha256(f"{seed} {point.point_id}".encode()).digest()


def _to_measure(folder: SweepFolder, points: Sequence[Point]) -> list[Point]:
    unique = {point.point_id: point for point in points}
    states = point_states(folder, unique)
    return [point for point_id, point in unique.items() if states[point_id].is_to_be_measured]


def _groups(points: Iterable[Point]) -> Mapping[Placement, list[Point]]:
    groups: dict[Placement, list[Point]] = {}
    for point in points:
        groups.setdefault(point.placement, []).append(point)
    return groups


def _run_placement(around: Surroundings, placement: Placement, points: Sequence[Point]) -> Counter[Outcome]:
    cores = len(os.sched_getaffinity(0))
    wanted = placement.num_ranks * placement.threads_per_rank
    if wanted > cores:
        around.on_event(
            message(f"{placement.label} shares {cores} cores: its ranks will wait for each other.")
        )
    _run_task(around, "generate", placement, points)
    if not {point.precision for point in points} <= _precisions(around, placement):
        _run_task(around, "ceilings", placement, points)
        if not _precisions(around, placement):
            raise SaihError(
                f"the ranks measured the ceilings of {placement.label} in another environment than this "
                "command was started in: software or checkout changed meanwhile.",
                "let it rest (no commits, edits or installs while a sweep runs), then run the same command "
                "again; nothing is lost.",
            )
    return _measure(
        around, placement, sorted(points, key=lambda point: order_key(around.options.seed, point))
    )


def _precisions(around: Surroundings, placement: Placement) -> frozenset[str]:
    """The precisions whose ceilings are known here for the placement."""
    try:
        found = read_ceilings(around.folder.root, around.environment.environment_id, placement)
    except DamagedData as error:
        around.on_event(message(f"{error.problem} It is measured again."))
        return frozenset()
    return frozenset() if found is None else found.precisions


def _run_task(around: Surroundings, task: Task, placement: Placement, points: Sequence[Point]) -> None:
    require_done(run_job(around, task, placement, points))


def _measure(around: Surroundings, placement: Placement, points: Sequence[Point]) -> Counter[Outcome]:
    counts: Counter[Outcome] = Counter()
    lost: Counter[str] = Counter()
    left = list(points)
    while left:
        end = run_job(around, "measure", placement, left)
        if not end.begun:
            raise ended_early(end)
        outcomes = {attempt.point_id: read_outcome(attempt).outcome for attempt in end.begun}
        counts.update(outcomes.values())
        lost.update(point_id for point_id, outcome in outcomes.items() if outcome is Outcome.LOST)
        # A point that lost its ranks goes to the end, so that it cannot keep the others waiting.
        again = [
            point
            for point in left
            if outcomes.get(point.point_id) is Outcome.LOST and lost[point.point_id] < around.options.max_lost
        ]
        left = [point for point in left if point.point_id not in outcomes] + again
    return counts

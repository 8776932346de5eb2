"""A campaign: everything that one call does for a sweep on this machine, resumable after any end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from saih.domain.point import Point
from saih.domain.record import Environment, Outcome
from saih.launch.event import message
from saih.launch.interruption import interruption
from saih.launch.job_run import OnEvent, Options, Surroundings
from saih.launch.lock import sweep_lock
from saih.launch.starter_alone import find_starter
from saih.launch.work import work
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
        SaihError: when the worker says so, or ends before it begins a point; or what ``check`` raises.
    """
    starter = find_starter({point.placement for point in points}, options.site)
    lock_path = folder.path / "lock"

    def warn(text: str) -> None:
        on_event(message(text))

    with interruption() as asked, sweep_lock(lock_path, options.lock_patience_s, warn) as lock:
        if options.check is not None:
            options.check()
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
            starter=starter,
            overseer=asked,
            lock=lock,
        )
        counts = work(around, points)
        return CampaignResult(
            states=point_states(folder, [point.point_id for point in points]),
            num_measured=counts.total() - counts[Outcome.LOST],
            num_lost=counts[Outcome.LOST],
        )

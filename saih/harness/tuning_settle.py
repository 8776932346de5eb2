"""The settings with which a point is measured: as asked for, as found before, or as a search finds them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from saih.domain.errors import DamagedData
from saih.domain.point import Point
from saih.domain.record import Environment, Outcome
from saih.domain.trial import FatalTrial, Trial
from saih.domain.tuning import Tuned, TuningPlan, execution_notes, search_notes
from saih.harness.ending import Ending
from saih.harness.point_run import Setting, freeze_modules
from saih.harness.settlement import Settlement, as_asked
from saih.harness.tuning import Found, Task, search
from saih.harness.tuning_bench import Bench
from saih.machine.messages import broadcast
from saih.store.fence import NO_FENCE, Fence
from saih.store.trial_file import fatal_trials, trial_kept
from saih.store.tuned_file import kindred, read_tuned, write_tuned
from workloads.execution import PLAIN, TUNED, Execution
from workloads.protocol import JobSide
from workloads.tuning import Knob, TunableJob, TuningFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Where outcomes of searches are kept, and for which environment."""

    root: Path
    """The results folder."""
    environment: Environment
    fence: Fence = NO_FENCE
    tell: Callable[[str], None]
    """Told on every rank what is tried now."""


def settle(point: Point, side: JobSide, setting: Setting, archive: Archive) -> Settlement:
    """How the point is going to be executed; every rank calls it, and gets the same settings.

    What an earlier search found for the same question in the same environment is taken as it is.
    """
    if not point.execution.is_searched:
        return as_asked(point)
    known = _known(point, setting, archive)
    if known is not None:
        execution, notes = known
        return Settlement(execution=execution, notes={**execution_notes(point, execution), **notes})
    plan = TuningPlan(budget_s=point.timing.search_budget_s)
    found = search_and_keep(point, side, setting, archive, plan)
    if found.tuned is None:
        return Settlement(execution=PLAIN, ending=found.ending)
    notes = execution_notes(point, found.tuned.execution) | search_notes(found.tuned, is_reused=False)
    return Settlement(execution=found.tuned.execution, notes=notes)


def search_and_keep(
    point: Point, side: JobSide, setting: Setting, archive: Archive, plan: TuningPlan
) -> Found:
    """Search anew, whatever was found before, and keep what is found."""
    if not isinstance(side, TunableJob):
        reason = f"{point.workload} has one way to execute its steps; ask for execution: plain."
        return Found(ending=Ending(outcome=Outcome.FAILED, reason=reason), tuned=None)
    task = Task(
        point=point,
        environment_id=archive.environment.environment_id,
        plan=plan,
        knobs=_knobs(point, side, setting),
        hint=_hint(point, setting, archive),
        fatal=_fatal(point, setting, archive, plan),
        trial=partial(_kept, point, setting, archive),
        progress=archive.tell,
    )
    _load_compiler()
    freeze_modules()
    num_threads = torch.get_num_threads()
    try:
        with Bench(point, side, setting) as bench:
            found = search(task, bench)
    finally:
        torch.set_num_threads(num_threads)
    if found.tuned is not None and setting.ranks.rank == 0:
        write_tuned(archive.root, found.tuned, archive.fence)
    return found


def _load_compiler() -> None:
    """DDP and optimizers load torch's compiler where they begin.

    When that came within a search, a rank that failed kept its process group for good, and the others went on
    waiting for its gradients.
    """
    import torch._dynamo  # noqa: F401, PLC0415 - 1 s, which ranks without a search need not take


def is_known(tuned: Tuned | None, plan: TuningPlan) -> bool:
    """Whether what was found before answers what is asked now."""
    return tuned is not None and tuned.answers(plan)


def known_of(root: Path, environment_id: str, point: Point) -> Tuned | None:
    """What was found before; a file that does not verify says nothing."""
    try:
        return read_tuned(root, environment_id, point)
    except DamagedData:
        return None


def _known(point: Point, setting: Setting, archive: Archive) -> tuple[Execution, dict[str, str]] | None:
    """Settings that were found before, on all ranks, and on rank 0 the notes of their search."""
    notes: dict[str, str] = {}
    if setting.ranks.rank == 0:
        tuned = known_of(archive.root, archive.environment.environment_id, point)
        notes = {} if tuned is None else search_notes(tuned, is_reused=True)
    else:
        tuned = None
    told = _shared_execution(None if tuned is None else tuned.execution, setting)
    return None if told is None else (told, notes)


def _hint(point: Point, setting: Setting, archive: Archive) -> Execution | None:
    """What was found last for another problem on the same ranks, on all ranks."""
    found = None
    if setting.ranks.rank == 0:
        found = kindred(archive.root, archive.environment.environment_id, point)
    return _shared_execution(None if found is None else found.execution, setting)


def _fatal(point: Point, setting: Setting, archive: Archive, plan: TuningPlan) -> Mapping[Trial, FatalTrial]:
    """What ended the ranks of earlier searches, on all ranks."""
    told = None
    if setting.ranks.rank == 0:
        found = fatal_trials(archive.root, archive.environment.environment_id, point, plan.since_utc)
        told = {"trials": [asdict(one) for one in found]}
    heard = broadcast(setting.ranks.comm, told)["trials"]
    fatal = [
        FatalTrial(**{**one, "trial": Trial(**one["trial"]), "outcome": Outcome(one["outcome"])})
        for one in heard
    ]
    return {one.trial: one for one in fatal}


def _kept(point: Point, setting: Setting, archive: Archive, trial: Trial) -> AbstractContextManager[None]:
    """Rank 0 keeps for all what is tried."""
    if setting.ranks.rank:
        return nullcontext()
    return trial_kept(archive.root, archive.environment.environment_id, point, trial)


def _shared_execution(own: Execution | None, setting: Setting) -> Execution | None:
    """What rank 0 has."""
    told: dict[str, Any] = {"settings": None if own is None else asdict(own)}
    heard = broadcast(setting.ranks.comm, told if setting.ranks.rank == 0 else None)
    return None if heard["settings"] is None else Execution(**heard["settings"])


def _knobs(point: Point, side: TunableJob, setting: Setting) -> tuple[Knob, ...]:
    """What rank 0 would try, on all ranks."""
    ranks = setting.ranks
    told = None
    if ranks.rank == 0:
        facts = TuningFacts(
            device=ranks.device,
            num_threads=point.placement.threads_per_rank,
            num_ranks=ranks.num_ranks,
            has_exchange=point.exchange != "none" and ranks.num_ranks > 1,
            batch_per_rank=point.batch_per_rank,
            precision=point.precision,
            may_change_precision=point.execution.name == TUNED.name,
        )
        told = {"knobs": [asdict(knob) for knob in side.settings(point.problem, facts)]}
    heard = broadcast(ranks.comm, told)
    return tuple(Knob(name=knob["name"], values=tuple(knob["values"])) for knob in heard["knobs"])

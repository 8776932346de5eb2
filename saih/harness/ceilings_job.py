"""The job that measures ceilings, or finds out whether those that are known still hold."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from saih.domain.ceiling import CeilingKind, Ceilings, contended_cores
from saih.domain.ceiling_drift import Drift, anchors, drifts
from saih.domain.job import Job
from saih.domain.number_formats import precisions_met
from saih.domain.record import Environment
from saih.harness.events import tell
from saih.harness.ranks import Ranks
from saih.machine import ceilings
from saih.machine.messages import broadcast
from saih.machine.sampling import CurveName, Rung
from saih.store.ceilings_file import read_ceilings, write_ceilings
from saih.store.structure import from_json, to_json

BUDGET_S = 40.0
CHECK_BUDGET_S = 8.0
ADDED_BUDGET_S = 12.0
"""For the arithmetic of one more number format."""
_MOST_SHOWN = 5


def measure_ceilings(job: Job, ranks: Ranks, environment: Environment) -> None:
    """Measure all curves of the job's placement and keep them; every rank calls it.

    Arithmetic is measured in every number format that the points may run in.
    """
    found = _measured(job, ranks, environment)
    for precision in precisions_met(job.points)[1:]:
        found = found.keeping(_arithmetic(job, ranks, environment, precision))
    if ranks.rank == 0:
        write_ceilings(Path(job.results_folder), found)
        tell("message", text=f"ceilings of {job.placement.label} measured")


def check_ceilings(job: Job, ranks: Ranks, environment: Environment) -> None:
    """Measure a few sizes again, and everything where they left the known curves; every rank calls it.

    The new ceilings count from now on where the whole measurement shows a drift too: a burst of other load
    may hit the few sizes alone.
    """
    known = _known(job, ranks, environment)
    if known is None:
        measure_ceilings(job, ranks, environment)
        return
    again = _measured(job, ranks, environment, known=known)
    if contended := contended_cores(again):
        cores = ", ".join(map(str, contended))
        _tell(
            ranks,
            f"cannot tell whether the ceilings still hold: others use cores {cores}; check again without",
        )
        return
    if not _told(ranks, drifts(known, again), "have drifted"):
        _tell(ranks, f"ceilings of {job.placement.label} still hold: {_num_compared(again)} sizes compared")
        return
    found = _measured(job, ranks, environment)
    whole = drifts(known, found)
    if not _told(ranks, whole, "differ in the whole measurement as well"):
        _tell(ranks, f"ceilings of {job.placement.label} hold: the difference was gone when all was measured")
    elif ranks.rank == 0:
        reason = f"drifted: {whole[0].statement}"
        write_ceilings(Path(job.results_folder), found, has_drifted=True, reason=reason)
        tell(
            "message",
            text=f"ceilings of {job.placement.label} measured anew; older records keep the old ones",
        )


def _measured(job: Job, ranks: Ranks, environment: Environment, known: Ceilings | None = None) -> Ceilings:
    """All curves, or the anchors of those that are known."""
    wanted = None if known is None else anchors(known)

    def chosen(name: CurveName, rungs: Sequence[Rung]) -> Sequence[Rung]:
        if wanted is None:
            return rungs
        sizes = wanted.get((name.label, name.precision), frozenset())
        return [rung for rung in rungs if rung.size in sizes]

    return ceilings.measure(
        job.placement,
        ranks.comm,
        Path(job.data_folder),
        environment.environment_id,
        precision=precisions_met(job.points)[0],
        budget_s=BUDGET_S if known is None else CHECK_BUDGET_S,
        chosen=chosen,
    )


def _arithmetic(job: Job, ranks: Ranks, environment: Environment, precision: str) -> Ceilings:
    """The curves of products and convolutions in one more format; the reason where there are none."""

    def chosen(name: CurveName, rungs: Sequence[Rung]) -> Sequence[Rung]:
        return rungs if name.precision == precision else []

    found = ceilings.measure(
        job.placement,
        ranks.comm,
        Path(job.data_folder),
        environment.environment_id,
        precision=precision,
        budget_s=ADDED_BUDGET_S,
        chosen=chosen,
    )
    if precision in found.precisions:
        return found
    reason = found.absent.get(str(CeilingKind.GEMM), "nothing could be measured in it")
    return replace(found, absent={precision: reason})


def _known(job: Job, ranks: Ranks, environment: Environment) -> Ceilings | None:
    """The ceilings in force for the job's precision, or None on every rank."""
    own = None
    if ranks.rank == 0:
        found = read_ceilings(Path(job.results_folder), environment.environment_id, job.placement)
        if found is not None and precisions_met(job.points)[0] in found.precisions:
            own = to_json(found)
    shared = broadcast(ranks.comm, {"known": own})["known"]
    known: Ceilings | None = None if shared is None else from_json(Ceilings, shared)
    return known


def _num_compared(again: Ceilings) -> int:
    return sum(len(curve.sizes) for curve in again.curves)


def _told(ranks: Ranks, found: Sequence[Drift], what: str) -> bool:
    """Whether anything drifted, after the first few were told."""
    for drift in found[:_MOST_SHOWN]:
        _tell(ranks, drift.statement)
    if found:
        _tell(ranks, f"{len(found)} sizes of the ceilings {what}")
    return bool(found)


def _tell(ranks: Ranks, text: str) -> None:
    if ranks.rank == 0:
        tell("message", text=text)

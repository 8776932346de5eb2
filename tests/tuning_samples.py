"""Searches that nobody ran, as plausible values."""

from dataclasses import replace

from saih.domain.interval import Interval
from saih.domain.point import Point
from saih.domain.tuning import FOUND, BatchRate, Candidate, Tuned
from workloads.execution import PLAIN, Execution

FINISHED = "2026-11-21T12:00:00.000000+00:00"
FASTEST = replace(PLAIN, name=FOUND, precision="bfloat16", kernels="own")


def interval(value: float) -> Interval:
    return Interval(low=0.97 * value, value=value, high=1.03 * value, level=0.95, count=4)


def tuned(point: Point, environment_id: str, execution: Execution = FASTEST) -> Tuned:
    """What a search of ``point`` could have found."""
    kept = Candidate(
        setting="precision", value="bfloat16", verdict="kept", gain=interval(2.1), step_ns=9e6, reason=""
    )
    refused = Candidate(
        setting="inputs", value="counts", verdict="refused", gain=None, step_ns=9e6, reason="its loss is odd"
    )
    return Tuned(
        environment_id=environment_id,
        point=point,
        execution=execution,
        step_ns=6.5e6,
        candidates=(kept, refused),
        against_plain=interval(2.9),
        against_reference=interval(3.1),
        has_yardsticks=True,
        duration_s=12.5,
        stop_reason="every setting was tried",
        batches=(BatchRate(batch_per_rank=2, samples_per_s=interval(310.0), reason=""),),
        finished_utc=FINISHED,
    )

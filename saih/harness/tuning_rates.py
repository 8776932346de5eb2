"""How many samples a second an execution trains with batches of other sizes: advice, no record."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from saih.domain.interval import median_interval
from saih.domain.point import Point
from saih.domain.tuning import BatchRate
from saih.harness.point_run import Setting
from saih.harness.tuning_bench import Bench, TrialFailed
from saih.harness.tuning_decision import LEVEL, Shape
from workloads.execution import Execution
from workloads.protocol import JobSide

_WARMUP = Shape(num_settling=2, num_timed=1)
_TIMED_S = 1.0
_STEPS = range(6, 50)
"""Fewer cannot enclose their median."""


def batch_rates(
    asked: tuple[Point, Execution],
    batches: Sequence[int],
    side: JobSide,
    setting: Setting,
    progress: Callable[[str], None],
) -> tuple[BatchRate, ...]:
    """The rate of each batch, on all ranks alike; what cannot be run is told, and the others go on."""
    point, execution = asked
    rates = []
    for batch in batches:
        progress(f"batches of {batch}")
        with Bench(replace(point, batch_per_rank=batch), side, setting) as bench:
            rates.append(_rate(batch, execution, bench, point.placement.data_parallel))
    return tuple(rates)


def _rate(batch: int, execution: Execution, bench: Bench, num_replicas: int) -> BatchRate:
    try:
        step_s = bench.window(execution, _WARMUP).step_ns * 1e-9
        num_steps = min(max(round(_TIMED_S / step_s), _STEPS.start), _STEPS.stop)
        window = bench.window(execution, Shape(num_settling=0, num_timed=num_steps))
    except TrialFailed as failed:
        return BatchRate(batch_per_rank=batch, samples_per_s=None, reason=failed.ending.reason)
    rate = median_interval(window.steps_ns, LEVEL).inverted(batch * num_replicas * 1e9)
    return BatchRate(batch_per_rank=batch, samples_per_s=rate, reason="")

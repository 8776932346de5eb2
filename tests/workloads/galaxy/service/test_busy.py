"""What a device is busy with: work, what is around it, and what a request shows of both."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.workloads.galaxy.plan_samples import cluster, device, small
from workloads.galaxy.engine.arithmetic import RealArithmetic
from workloads.galaxy.plan import Strategy
from workloads.galaxy.planning.heuristic import even_split
from workloads.galaxy.service.best_plans import BestPlans
from workloads.galaxy.service.busy import Busy, TimedArithmetic
from workloads.galaxy.service.watch import Measured, Watch, slowed

MODEL = small()


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def passing(self, num_ns: int) -> Callable[[], str]:
        """Work that takes so long."""

        def work() -> str:
            self.now_ns += num_ns
            return "done"

        return work


def test_work_is_told_from_what_is_around_it_and_from_waiting() -> None:
    clock = Hand()
    arithmetic = TimedArithmetic(RealArithmetic(), clock)
    for _ in range(2):
        arithmetic.begin()
        clock.now_ns += 1000
        arithmetic.waited()
        clock.now_ns += 3
        assert arithmetic.do(clock.passing(20), str, 0.0) == "done"
        clock.now_ns += 4
        arithmetic.do(clock.passing(30), str, 0.0)
        clock.now_ns += 500
        arithmetic.waited()
        arithmetic.do(clock.passing(40), str, 0.0)
        clock.now_ns += 7  # nothing follows that it would be around of
        assert arithmetic.busy == Busy(work_ns=90, around_ns=7, num_pieces=3)


@pytest.mark.parametrize("strategy", [Strategy.HYBRID, Strategy.TENSOR])
def test_what_a_request_showed_is_what_is_foreseen_of_the_next(strategy: Strategy) -> None:
    of = cluster(*(replace(device(speed), tile_ns=2e4) for speed in (4.0, 9.0)))
    plan = replace(even_split(MODEL, of, strategy=strategy), num_tiles=2)
    planning = BestPlans(architecture=MODEL, itemsize=4)
    foreseen = planning.foresee(of, plan, 24)
    taken = {
        number: Busy(work_ns=3.0 * each.work_ns, around_ns=5.0 * each.around_ns)
        for number, each in foreseen.busy.items()
    }
    measured = Measured(
        foreseen=foreseen.busy, taken=taken, foreseen_latency_ns=1.0, latency_ns=foreseen.latency_ns
    )
    speeds = Watch().finding(measured).speeds
    devices = tuple(slowed(each, speeds[number]) for number, each in enumerate(of.devices))
    found = planning.foresee(replace(of, devices=devices), plan, 24)
    for number, busy in found.busy.items():
        assert busy.work_ns == pytest.approx(taken[number].work_ns)
        assert busy.around_ns == pytest.approx(taken[number].around_ns)


def test_what_tiles_cost_is_foreseen_apart_from_work() -> None:
    of = cluster(*(replace(device(speed), tile_ns=2e4) for speed in (4.0, 9.0)))
    plan = replace(even_split(MODEL, of, strategy=Strategy.HYBRID), num_tiles=2)
    found = BestPlans(architecture=MODEL, itemsize=4).foresee(of, plan, 24)
    # Two tiles of each of two devices enter an attention, leave it and go through an MLP.
    for busy in found.busy.values():
        assert busy.around_ns == pytest.approx(MODEL.num_layers * 3 * 4 * 2e4)

"""Counters read around real measured steps, from real files that the steps themselves advance."""

import math
from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st
from mpi4py import MPI
from torch import Tensor

from saih.domain.energy import EnergyPart
from saih.domain.point import Timing
from saih.domain.record import Outcome
from saih.harness.clock import host_ns
from saih.harness.energy_log import MOST_BLOCKS, EnergyLog, joined
from saih.harness.exchange import NoExchange
from saih.harness.measure import Instruments, Measurement, measure
from saih.machine.energy_counter import NONE
from saih.machine.energy_rapl import find_rapl
from tests.machine.powercap import ONE_SOCKET, RANGE_UJ, TWO_SOCKETS, PowerCap
from workloads.protocol import Mark

STEP_J, WARMUP_J = 0.01, 1000.0


class Consumer:
    """A session whose steps use energy: much in the warm-up, the same in each step after it."""

    def __init__(self, tree: PowerCap, warmup_steps: int, bad_step: int = 0) -> None:
        self.tree, self.warmup_steps, self.bad_step = tree, warmup_steps, bad_step
        self.num_steps = 0

    def produce(self, step: int) -> Tensor:
        return torch.full((4,), float(step))

    def step(self, batch: Tensor, mark: Mark) -> Tensor:
        self.num_steps += 1
        self.tree.advance("intel-rapl:0", STEP_J if self.num_steps > self.warmup_steps else WARMUP_J)
        for _ in range(400):
            batch = torch.sin(batch)
        mark("forward")
        return batch.mean() * (math.nan if self.num_steps == self.bad_step else 1.0)

    def close(self) -> None:
        """Nothing to close."""


def measured(tree: PowerCap, timing: Timing, bad_step: int = 0) -> Measurement:
    instruments = Instruments(
        comm=MPI.COMM_SELF,
        clock=host_ns,
        exchange=NoExchange(),
        beat=lambda place: None,
        counters=find_rapl(tree.system),
    )
    return measure(Consumer(tree, timing.warmup_steps, bad_step), timing, instruments)


TIMING = Timing(warmup_steps=3, min_steps=300, max_steps=600, relative_width=0.0, budget_s=60)


def test_the_measured_steps_are_counted_and_the_warm_up_is_not(tmp_path: Path) -> None:
    tree = PowerCap(tmp_path, ONE_SOCKET, start_uj=RANGE_UJ - 4_000_000_000)  # it begins again on the way
    measurement = measured(tree, TIMING)
    assert measurement.steps is not None
    blocks_uj = measurement.energy["blocks_uj"][EnergyPart.PACKAGES]
    block_steps = measurement.energy["block_steps"]
    assert sum(block_steps) == measurement.steps.num_steps == 600
    assert len(blocks_uj) > 1
    assert blocks_uj == [round(1e6 * STEP_J) * steps for steps in block_steps]


def test_steps_that_diverged_have_no_energy(tmp_path: Path) -> None:
    measurement = measured(PowerCap(tmp_path, ONE_SOCKET), TIMING, bad_step=5)
    assert measurement.ending.outcome is Outcome.DIVERGED
    assert measurement.energy == {}


class Clock:
    """A clock that a test moves [s]."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> int:
        return round(1e9 * self.now_s)


def logged(tree: PowerCap, gaps_s: list[float], joules: float = 10.0) -> dict:
    """A log with as many blocks as gaps."""
    clock = Clock()
    log = EnergyLog(find_rapl(tree.system), clock)
    log.begin()
    for gap_s in gaps_s:
        clock.now_s += gap_s
        for zone in tree.totals_uj:
            tree.advance(zone, joules)
        log.add(4)
    return log.report()


def test_counters_of_one_part_are_added_up(tmp_path: Path) -> None:
    report = logged(PowerCap(tmp_path, TWO_SOCKETS), [0.5, 0.5, 0.5])
    assert report["blocks_uj"] == {
        EnergyPart.PACKAGES: [20_000_000] * 3,
        EnergyPart.MEMORY: [20_000_000] * 3,
        EnergyPart.PLATFORM: [10_000_000] * 3,
    }
    assert report["block_steps"] == [4, 4, 4]


def test_a_step_in_which_a_counter_may_begin_again_twice_makes_it_absent(tmp_path: Path) -> None:
    report = logged(PowerCap(tmp_path, ONE_SOCKET), [0.5, 300.0])
    assert report["blocks_uj"] == {}
    reason = report["reasons"][EnergyPart.PACKAGES]
    assert "more than once in the 300 s between two readings" in reason


def test_memory_begins_again_sooner_than_the_packages_which_stay(tmp_path: Path) -> None:
    report = logged(PowerCap(tmp_path, TWO_SOCKETS), [0.5, 100.0])
    assert EnergyPart.PACKAGES in report["blocks_uj"]
    assert "it is sure for 66 s" in report["reasons"][EnergyPart.MEMORY]


def test_a_counter_that_stands_still_counts_nothing(tmp_path: Path) -> None:
    report = logged(PowerCap(tmp_path, ONE_SOCKET), [0.5], joules=0.0)
    assert "stood still for 0.5 s" in report["reasons"][EnergyPart.PACKAGES]


def test_steps_shorter_than_the_counters_jumps_have_no_energy(tmp_path: Path) -> None:
    report = logged(PowerCap(tmp_path, ONE_SOCKET), [0.05])
    assert "the measured steps lasted 0.050 s" in report["reasons"][EnergyPart.PACKAGES]


def test_a_counter_that_was_set_back_is_not_taken_for_one_that_went_around(tmp_path: Path) -> None:
    tree = PowerCap(tmp_path, ONE_SOCKET)
    tree.advance("intel-rapl:0", 50.0)
    clock = Clock()
    log = EnergyLog(find_rapl(tree.system), clock)
    log.begin()
    clock.now_s = 2.0
    tree.file("intel-rapl:0").write_text("0\n")
    log.add(3)
    report = log.report()
    assert report["blocks_uj"] == {}
    assert "in 2.00 s, more than it can: something set it back" in report["reasons"][EnergyPart.PACKAGES]


def test_a_counter_that_disappears_makes_its_part_absent(tmp_path: Path) -> None:
    tree = PowerCap(tmp_path, TWO_SOCKETS)
    clock = Clock()
    log = EnergyLog(find_rapl(tree.system), clock)
    log.begin()
    clock.now_s = 1.0
    tree.advance("intel-rapl:0:1", 1.0)
    tree.advance("intel-rapl:1:0", 1.0)
    tree.advance("intel-rapl:2", 1.0)
    tree.file("intel-rapl:1").unlink()
    log.add(3)
    report = log.report()
    assert set(report["blocks_uj"]) == {EnergyPart.MEMORY, EnergyPart.PLATFORM}
    assert "package-1 (intel-rapl:1) could not be read any more" in report["reasons"][EnergyPart.PACKAGES]


def test_a_rank_without_counters_says_nothing_and_reads_no_clock() -> None:
    def never() -> int:
        raise AssertionError("the clock was read")

    log = EnergyLog(NONE, never)
    log.begin()
    log.add(5)
    assert log.report() == {}


@given(values=st.lists(st.integers(0, 10**12), max_size=500), most=st.integers(1, 80))
def test_joining_neighbours_loses_nothing(values: list[int], most: int) -> None:
    parts = joined(values, most)
    assert sum(parts) == sum(values)
    assert len(parts) == min(len(values), most)
    assert len(joined(values)) <= MOST_BLOCKS

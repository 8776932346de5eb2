"""Readings that short steps share are charged to those that lost a turn."""

import numpy as np
import pytest

from saih.analyzer.critical_path import critical_path
from saih.analyzer.resampling import central_means
from saih.domain.record import ADDITIVE_PHASES, Meter, Phase, Steps
from saih.harness.step_meter import equal_parts

MS = 1_000_000


def steps_of(work_ns: list[int], readings: list[tuple[int, int, int]]) -> Steps:
    """Steps of one rank; each reading: of how many steps, their time on a processor, their delay."""
    zeros = tuple([0] * len(work_ns))
    phases = dict.fromkeys((*ADDITIVE_PHASES, Phase.INPUT_PRODUCE, Phase.COMMUNICATION_TOTAL), (zeros,))
    on_cpu = [part for count, ns, _ in readings for part in equal_parts(ns, count)]
    delay = [part for count, _, ns in readings for part in equal_parts(ns, count)]
    return Steps(
        duration_ns={**phases, Phase.FORWARD: (tuple(work_ns),)},
        step_ns=(tuple(work_ns),),
        losses=tuple(np.linspace(1.0, 0.5, len(work_ns)).tolist()),
        warmup_steps=0,
        meters={Meter.WORK_ON_CPU: (tuple(on_cpu),), Meter.WORK_RUN_DELAY: (tuple(delay),)},
    )


def test_a_turn_that_one_of_seven_steps_lost_is_charged_to_it_in_full() -> None:
    work = [6 * MS] * 3 + [10 * MS] + [6 * MS] * 3
    starved = critical_path(steps_of(work, [(7, 42 * MS, 4 * MS)]), 1).starved
    assert starved[3] == pytest.approx(4 * MS, rel=1e-5)
    assert starved.sum() == pytest.approx(4 * MS, rel=1e-5)


def test_readings_that_are_not_shared_keep_to_their_steps() -> None:
    steps = steps_of([10 * MS, 12 * MS, 6 * MS], [(1, 9 * MS, 1 * MS), (1, 9 * MS, 5 * MS), (1, 6 * MS, 0)])
    assert critical_path(steps, 1).starved == pytest.approx([1 * MS, 3 * MS, 0])


def test_a_thread_that_was_always_on_a_processor_was_not_starved() -> None:
    assert not critical_path(steps_of([6 * MS] * 7, [(7, 43 * MS, 4 * MS)]), 1).starved.any()


@pytest.mark.parametrize("count", [10, 20, 30])
def test_a_tenth_of_the_steps_is_left_out_at_either_end(count: int) -> None:
    whole = np.full((1, count), 10.0)
    whole[0, : count // 10] = 1000.0
    assert central_means(whole) == pytest.approx([10.0])

"""Meters of threads: what is asserted holds on a machine of any load."""

import threading
import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mpi4py import MPI

from saih.domain.contention import Pressure
from saih.domain.point import Timing
from saih.domain.record import ADDITIVE_PHASES, Meter, Phase
from saih.harness.clock import device_clock
from saih.harness.exchange import NoExchange
from saih.harness.measure import Instruments, measure
from saih.harness.prefetch import Prefetch
from saih.harness.step_meter import UNKNOWN, ThreadMeter, WorkMeter, equal_parts, grown, storage_bytes
from workloads.protocol import Mark


def burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_work_counts_as_time_on_a_processor_and_sleep_does_not() -> None:
    meter = ThreadMeter()
    before = meter.read()[0]
    burn(0.02)
    worked = meter.read()[0]
    time.sleep(0.05)
    slept = meter.read()[0]
    assert worked - before >= 20_000_000
    assert slept - worked < 20_000_000


def test_the_time_of_another_thread_does_not_count() -> None:
    meter = ThreadMeter()
    before = meter.read()[0]
    other = threading.Thread(target=burn, args=(0.05,))
    other.start()
    other.join()
    assert meter.read()[0] - before < 40_000_000


def test_what_is_unknown_stays_unknown() -> None:
    assert grown(UNKNOWN, 5) == UNKNOWN
    assert grown(5, UNKNOWN) == UNKNOWN
    assert grown(5, 9) == 4
    assert grown(9, 5) == 0  # a counter that was set back tells nothing


def test_long_steps_have_readings_of_their_own_and_short_ones_share_them() -> None:
    meter = WorkMeter()
    for seconds in (0.05, 0.0):
        for _ in range(3):
            meter.begin()
            burn(seconds)
            meter.end()
            time.sleep(0.02 if seconds else 0)
    *long, first, second, third = meter.take()
    assert len(long) == 3
    assert all(50_000_000 <= on_cpu_ns < 70_000_000 for on_cpu_ns, _ in long)
    assert max(first[0], second[0], third[0]) - min(first[0], second[0], third[0]) <= 1
    assert sum((first[0], second[0], third[0])) < 20_000_000
    assert meter.take() == []


@given(st.integers(0, 10**12), st.integers(1, 100))
def test_parts_sum_to_the_whole(total: int, number: int) -> None:
    parts = equal_parts(total, number)
    assert (sum(parts), len(parts)) == (total, number)
    assert max(parts) - min(parts) <= 1


def test_parts_of_what_is_unknown_are_unknown() -> None:
    assert equal_parts(UNKNOWN, 3) == [UNKNOWN] * 3


def test_bytes_from_storage_never_shrink() -> None:
    assert storage_bytes() <= storage_bytes()


def test_making_a_batch_is_metered_in_the_loader() -> None:
    with Prefetch(lambda step: burn(0.01)) as prefetch:
        _, (_, on_cpu_ns, delay_ns, read_bytes) = prefetch.take()
        assert prefetch.thread_ids
        assert threading.get_native_id() not in prefetch.thread_ids
    assert on_cpu_ns >= 10_000_000
    assert delay_ns == UNKNOWN or delay_ns >= 0
    assert read_bytes >= 0


def test_a_loader_that_sleeps_is_not_on_a_processor() -> None:
    with Prefetch(lambda step: time.sleep(0.05)) as prefetch:
        _, (produce_ns, on_cpu_ns, _, _) = prefetch.take()
        assert on_cpu_ns < produce_ns - 30_000_000


class Burning:
    """A session whose steps work."""

    def produce(self, step: int) -> int:
        return step

    def step(self, batch: int, mark: Mark) -> float:
        burn(0.002)
        mark("forward")
        return 1.0

    def close(self) -> None:
        """Nothing is held."""


def test_meters_of_measured_steps_fit_into_their_work() -> None:
    instruments = Instruments(
        comm=MPI.COMM_SELF, clock=device_clock("cpu"), exchange=NoExchange(), beat=lambda place: None
    )
    found = measure(Burning(), Timing(warmup_steps=2, min_steps=8, max_steps=8), instruments)
    steps = found.steps
    assert steps is not None
    work = np.sum(
        [steps.duration_ns[phase] for phase in ADDITIVE_PHASES if phase != Phase.INPUT_WAIT], axis=0
    )
    on_cpu = np.asarray(steps.meters[Meter.WORK_ON_CPU])
    assert on_cpu.shape == (1, 8)
    assert (on_cpu > 0).all()
    assert (on_cpu <= work + 100_000).all()
    assert (on_cpu >= 2_000_000).all()
    assert {Meter.PRODUCE_ON_CPU, Meter.PRODUCE_STORAGE} <= set(steps.meters)
    assert found.pressure[Pressure.ELAPSED] >= sum(steps.step_ns[0])

import os
import random

import pytest
from mpi4py import MPI

from saih.domain.ceiling import CeilingKind
from saih.machine.jitter import jitter_curves, lateness


def test_quanta_that_are_all_alike_are_never_late() -> None:
    late, slowest, median = lateness([1e-4] * 500)
    assert (late.value, slowest.value, median.value) == (0.0, 0.0, 1e-4)
    assert late.count == 500


def test_a_core_that_is_taken_away_now_and_then_is_late_by_that_time() -> None:
    draw = random.Random(2)
    quanta = [1e-4 * draw.uniform(1.0, 1.02) + (4e-3 if draw.random() < 0.03 else 0) for _ in range(4000)]
    late, slowest, median = lateness(quanta)
    assert late.value == pytest.approx(4e-3, rel=0.02)
    assert slowest.value == pytest.approx(4e-3, rel=0.02)
    assert median.value == pytest.approx(1e-4, rel=0.03)
    assert late.low <= late.value <= late.high <= slowest.high


def test_one_outlier_moves_the_slowest_and_not_the_percentile() -> None:
    late, slowest, _ = lateness([1e-4] * 999 + [0.5])
    assert late.value == 0.0
    assert slowest.value == pytest.approx(0.5, rel=1e-3)


def test_a_single_quantum_has_an_interval_of_nothing() -> None:
    late, slowest, median = lateness([1e-4])
    assert late.low == late.value == late.high == slowest.high == 0.0
    assert median.count == 1


def test_every_allowed_core_is_watched_and_the_process_keeps_its_cores() -> None:
    before = os.sched_getaffinity(0)
    curves = jitter_curves(MPI.COMM_SELF, 0.05)
    assert os.sched_getaffinity(0) == before
    assert [curve.variant for curve in curves] == ["", "slowest", "median"]
    for curve in curves:
        assert curve.kind is CeilingKind.JITTER
        assert len(curve.sizes) == min(64, len(before))
        assert set(curve.sizes) <= {float(core) for core in before}
    assert all(rate.value > 0 for rate in curves[-1].rates)

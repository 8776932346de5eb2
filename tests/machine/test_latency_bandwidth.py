import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saih.machine.collective import fit_latency_bandwidth

SIZES = [4.0, 2.0**10, 2.0**13, 2.0**16, 2.0**20, 2.0**24, 2.0**26]


@given(alpha=st.floats(1e-6, 1e-3), beta=st.floats(1e8, 1e12))
def test_the_fit_recovers_an_exact_law(alpha: float, beta: float) -> None:
    law = fit_latency_bandwidth(SIZES, [alpha + size / beta for size in SIZES])
    assert law.latency_s == pytest.approx(alpha, rel=1e-6)
    assert law.bytes_per_s == pytest.approx(beta, rel=1e-6)


def test_the_fit_recovers_a_law_through_noise_of_five_percent() -> None:
    noise = random.Random(3)
    times = [(2e-5 + size / 3e9) * noise.lognormvariate(0, 0.05) for size in SIZES]
    law = fit_latency_bandwidth(SIZES, times)
    assert law.latency_s == pytest.approx(2e-5, rel=0.1)
    assert law.bytes_per_s == pytest.approx(3e9, rel=0.1)


def test_large_messages_do_not_hide_the_latency() -> None:
    # A plain least-squares fit answers the 2 % deviation of the largest message with a wrong latency.
    times = [2e-5 + size / 3e9 for size in SIZES]
    times[-1] *= 1.02
    assert fit_latency_bandwidth(SIZES, times).latency_s == pytest.approx(2e-5, rel=0.02)


def test_times_without_one_of_the_terms_give_none_for_it() -> None:
    assert fit_latency_bandwidth(SIZES, [1e-5] * len(SIZES)).bytes_per_s is None
    assert fit_latency_bandwidth(SIZES, [size / 1e9 for size in SIZES]).latency_s is None

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saih.machine.message_law import fit_latency_bandwidth, fit_segments

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


MANY_SIZES = [4.0, *(2.0**power for power in (6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 25, 26))]
SWITCH = 2.0**14


def noisy(times: list[float], noise: random.Random, sigma: float) -> list[float]:
    return [time * noise.lognormvariate(0, sigma) for time in times]


def test_one_protocol_is_one_segment_with_its_law() -> None:
    (found,) = fit_segments(MANY_SIZES, [2e-5 + size / 3e9 for size in MANY_SIZES])
    assert (found.from_bytes, found.to_bytes) == (4.0, 2.0**26)
    assert found.latency_s == pytest.approx(2e-5)
    assert found.bytes_per_s == pytest.approx(3e9)


def test_a_switch_of_protocol_is_found_with_both_laws() -> None:
    times = [1e-6 + size / 4e9 if size <= SWITCH else 2e-5 + size / 1e10 for size in MANY_SIZES]
    eager, rendezvous = fit_segments(MANY_SIZES, times)
    assert (eager.to_bytes, rendezvous.from_bytes) == (SWITCH, 2.0**16)
    assert eager.latency_s == pytest.approx(1e-6)
    assert eager.bytes_per_s == pytest.approx(4e9)
    assert rendezvous.latency_s == pytest.approx(2e-5)
    assert rendezvous.bytes_per_s == pytest.approx(1e10)


def test_two_switches_are_found() -> None:
    def law(size: float) -> float:
        if size <= 2.0**12:
            return 1e-6 + size / 4e9
        return 1e-4 + size / 8e9 if size <= 2.0**20 else 3e-3 + size / 1e9

    sizes = [2.0**power for power in range(2, 27)]
    found = fit_segments(sizes, [law(size) for size in sizes])
    assert [one.to_bytes for one in found] == [2.0**12, 2.0**20, 2.0**26]


def test_noise_makes_no_switch_and_hides_none() -> None:
    noise = random.Random(5)
    false, found = 0, 0
    for _ in range(40):
        alpha, beta = 10 ** noise.uniform(-6, -4), 10 ** noise.uniform(9, 10.5)
        plain = [alpha + size / beta for size in MANY_SIZES]
        switched = [
            time * (1 if size <= SWITCH else 3.5) for time, size in zip(plain, MANY_SIZES, strict=True)
        ]
        false += len(fit_segments(MANY_SIZES, noisy(plain, noise, 0.05))) > 1
        segments = fit_segments(MANY_SIZES, noisy(switched, noise, 0.05))
        found += len(segments) > 1 and segments[0].to_bytes in {SWITCH / 4, SWITCH, SWITCH * 4}
    assert false <= 2
    assert found >= 36


def test_too_few_sizes_give_no_segment_and_few_give_one() -> None:
    assert fit_segments([4.0, 8.0], [1.0, 2.0]) == ()
    assert len(fit_segments([4.0, 8.0, 1e6], [1.0, 1.0, 50.0])) == 1

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saih.domain.ceiling import Ceiling, CeilingKind
from saih.domain.interval import median_interval
from saih.machine.sampling import CurveName, Durations, Probe, Rung, best_of_rounds, rate_curve, time_curve

NAME = CurveName(kind=CeilingKind.GEMM, precision="float32", unit="FLOP/s", size_unit="side")


def rung(size: float, work: float, *seconds: tuple[float, ...] | None) -> Rung:
    """A rung whose ways take these seconds on each rank; None is a way that cannot run."""
    ways = tuple(make_way(ranks) for ranks in seconds)
    return Rung(size=size, work=work, ways=ways)


def make_way(ranks: tuple[float, ...] | None) -> Callable[[], Probe]:
    def way() -> Probe:
        if ranks is None:
            raise MemoryError
        return Probe(call=lambda: ranks)

    return way


def sample(prepare: Callable[[], Probe], budget_s: float) -> Durations | None:
    """A clock that believes what the probe says it takes."""
    assert budget_s > 0
    try:
        ranks = prepare().call()
    except MemoryError:
        return None
    assert isinstance(ranks, tuple)
    return (ranks,) * 7


def curve(sizes: Sequence[float], values: Sequence[float]) -> Ceiling:
    return Ceiling(
        kind=NAME.kind,
        precision=NAME.precision,
        unit=NAME.unit,
        size_unit=NAME.size_unit,
        sizes=tuple(sizes),
        rates=tuple(median_interval([value]) for value in values),
    )


def test_rates_are_summed_over_ranks() -> None:
    found = rate_curve(NAME, [rung(8, 100.0, (1.0, 2.0))], sample, 1.0)
    assert found is not None
    assert found.rates[0].value == pytest.approx(150.0)
    assert found.rates[0].count == 7


def test_the_fastest_way_is_the_ceiling() -> None:
    found = rate_curve(NAME, [rung(8, 100.0, (2.0,), None, (0.5,))], sample, 1.0)
    assert found is not None
    assert found.best.value == pytest.approx(200.0)


def test_a_size_that_no_rank_can_run_is_left_out_and_the_rest_is_kept() -> None:
    found = rate_curve(
        NAME, [rung(8, 8.0, (0.1,)), rung(16, 16.0, None), rung(32, 32.0, (0.1,))], sample, 60.0
    )
    assert found is not None
    assert found.sizes == (8, 32)


def test_a_curve_without_any_size_is_absent() -> None:
    assert rate_curve(NAME, [rung(8, 8.0, None)], sample, 1.0) is None
    assert rate_curve(NAME, [], sample, 1.0) is None
    assert time_curve(NAME, [rung(8, 8.0, None)], sample, 1.0) is None


def test_a_size_that_would_overrun_its_share_is_left_out() -> None:
    rungs = [rung(1, 1.0, (0.01,)), rung(2, 8.0, (0.08,)), rung(3, 1e6, (1e4,))]
    found = rate_curve(NAME, rungs, sample, 3.0)
    assert found is not None
    assert found.sizes == (1, 2)


def test_rungs_of_falling_size_give_a_growing_curve() -> None:
    found = rate_curve(
        NAME, [rung(32, 4.0, (1.0,)), rung(16, 3.0, (1.0,)), rung(8, 2.0, (1.0,))], sample, 60.0
    )
    assert found is not None
    assert found.sizes == (8, 16, 32)
    assert [rate.value for rate in found.rates] == pytest.approx([2.0, 3.0, 4.0])


def test_a_collective_lasts_as_long_as_its_slowest_rank() -> None:
    found = time_curve(NAME, [rung(4, 4.0, (0.1, 0.3))], sample, 10.0)
    assert found is not None
    assert found.rates[0].value == 0.3


def test_times_end_after_a_message_that_took_half_of_the_budget() -> None:
    found = time_curve(NAME, [rung(4, 4, (0.01,)), rung(40, 40, (0.2,)), rung(400, 400, (1.0,))], sample, 1.0)
    assert found is not None
    assert found.sizes == (4, 40)


values = st.lists(st.floats(1.0, 1e12), min_size=3, max_size=3)


@given(first=values, second=values)
def test_the_best_of_two_rounds_is_never_worse_than_either(first: list[float], second: list[float]) -> None:
    rounds = [curve((1, 2, 3), first), curve((1, 2, 3), second)]
    higher, lower = best_of_rounds(rounds, "higher"), best_of_rounds(rounds, "lower")
    assert higher is not None
    assert lower is not None
    assert [rate.value for rate in higher.rates] == [max(pair) for pair in zip(first, second, strict=True)]
    assert [rate.value for rate in lower.rates] == [min(pair) for pair in zip(first, second, strict=True)]


def test_a_size_that_only_one_round_reached_is_kept() -> None:
    found = best_of_rounds([curve((1, 2), (5, 6)), None, curve((1, 4), (7, 8))], "higher")
    assert found is not None
    assert found.sizes == (1, 2, 4)
    assert [rate.value for rate in found.rates] == [7, 6, 8]
    assert best_of_rounds([None, None], "higher") is None

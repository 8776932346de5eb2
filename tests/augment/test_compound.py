import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.compound import EVEN, Bounds, CompoundWalk, Extent, Shares, grown
from augment.problem import ProblemError

BASE = Extent(depth=1, width=32, resolution=128)
BOUNDS = Bounds(most_depth=1024, least_resolution=8, most_resolution=1024)
PHIS = st.floats(-12, 16)


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_factors_of_one_step_double_the_flops_however_they_are_shared(
    first: float, second: float
) -> None:
    low, high = sorted((first, second))
    shares = Shares(depth=low, width=high - low, resolution=1 - high)
    assert math.isclose(shares.alpha * shares.beta**2 * shares.gamma**3, 2)


def test_even_shares_are_the_stated_factors() -> None:
    assert (EVEN.alpha, EVEN.beta, EVEN.gamma) == pytest.approx((1.26, 1.12, 1.08), abs=0.005)


@given(PHIS)
def test_every_step_of_the_knob_doubles_the_relative_flops(phi: float) -> None:
    reached = grown(BASE, phi, BOUNDS)
    assert math.isclose(reached.relative_flops, BASE.relative_flops * 2**phi, rel_tol=1e-9)
    assert reached.resolution & (reached.resolution - 1) == 0
    assert reached.depth >= 1


@given(PHIS, st.floats(0.1, 4))
def test_a_turn_up_of_the_knob_makes_neither_depth_nor_resolution_smaller(phi: float, more: float) -> None:
    before, after = grown(BASE, phi, BOUNDS), grown(BASE, phi + more, BOUNDS)
    assert after.depth >= before.depth
    assert after.resolution >= before.resolution


def test_the_knob_at_zero_changes_nothing() -> None:
    assert grown(BASE, 0, BOUNDS) == BASE


def test_width_takes_what_bounds_leave() -> None:
    tight = Bounds(most_depth=1, least_resolution=128, most_resolution=128)
    assert grown(BASE, 2, tight) == Extent(depth=1, width=64, resolution=128)


@pytest.mark.parametrize("phi", [65.0, -65.0, math.nan])
def test_a_knob_beyond_reason_is_refused(phi: float) -> None:
    with pytest.raises(ProblemError, match="from -64 to 64"):
        grown(BASE, phi, BOUNDS)
    with pytest.raises(ProblemError, match="from -64 to 64"):
        CompoundWalk(phis=(phi,))


@pytest.mark.parametrize("shares", [(0.5, 0.5, 0.5), (1.5, -0.5, 0.0)])
def test_shares_that_do_not_double_are_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(ProblemError, match="whose sum is 1"):
        Shares(depth=shares[0], width=shares[1], resolution=shares[2])

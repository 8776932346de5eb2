"""A machine has drifted where an interval lies beyond the tolerated factor, and only there."""

import random
from dataclasses import replace

import pytest

from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.ceiling_drift import anchors, drifts
from saih.domain.interval import Interval


def curve(kind: CeilingKind, values: tuple[float, ...], width: float = 0.02, variant: str = "") -> Ceiling:
    return Ceiling(
        kind=kind,
        precision="float32" if kind is CeilingKind.GEMM else "",
        unit="FLOP/s",
        size_unit="side",
        sizes=tuple(2.0**place for place in range(len(values))),
        rates=tuple(
            Interval(low=value * (1 - width), value=value, high=value * (1 + width), level=0.95, count=9)
            for value in values
        ),
        variant=variant,
    )


def ceilings(*curves: Ceiling) -> Ceilings:
    return Ceilings(
        environment_id="e",
        placement_label="p",
        curves=curves,
        measured_utc="2026-01-01T00:00:00+00:00",
        all_reduce_latency_s=None,
        all_reduce_bytes_per_s=None,
        vendor_flops_per_s={},
    )


def test_anchors_are_the_best_and_the_last_size_of_the_first_curve_of_a_kind() -> None:
    found = anchors(
        ceilings(
            curve(CeilingKind.GEMM, (1.0, 3.0, 2.0)),
            curve(CeilingKind.ALL_REDUCE, (5.0, 4.0, 9.0), variant="gloo"),
            curve(CeilingKind.ALL_REDUCE, (1.0, 2.0, 3.0), variant="mpi"),
            curve(CeilingKind.STORAGE_COLD, (1.0,)),
            curve(CeilingKind.JITTER, (1.0,)),
        )
    )
    assert found == {("gemm", "float32"): {2.0, 4.0}, ("all_reduce (gloo)", ""): {2.0, 4.0}}


@pytest.mark.parametrize("factor", [1.0, 1.1, 1 / 1.1, 1.19])
def test_what_anybody_would_tolerate_is_no_drift(factor: float) -> None:
    then = ceilings(curve(CeilingKind.GEMM, (1.0, 3.0)))
    assert drifts(then, ceilings(curve(CeilingKind.GEMM, (factor, 3.0 * factor)))) == ()


@pytest.mark.parametrize("factor", [1.5, 0.6, 10.0])
def test_a_drift_names_its_curve_its_size_and_its_factor(factor: float) -> None:
    then = ceilings(curve(CeilingKind.GEMM, (1.0, 3.0)), curve(CeilingKind.MEMORY, (5.0,)))
    now = ceilings(curve(CeilingKind.GEMM, (1.0, 3.0 * factor)), curve(CeilingKind.MEMORY, (5.0,)))
    (found,) = drifts(then, now)
    assert (found.name, found.size) == ("gemm", 2.0)
    assert found.ratio.value == pytest.approx(factor)
    assert found.statement.startswith("gemm float32 at 2 side: ")
    assert f"a factor of {factor:.2f}" in found.statement


def test_wide_intervals_carry_no_drift() -> None:
    then = ceilings(curve(CeilingKind.GEMM, (1.0,), width=0.5))
    assert drifts(then, ceilings(curve(CeilingKind.GEMM, (0.5,), width=0.5))) == ()


def test_sizes_and_curves_that_only_one_side_has_are_not_compared() -> None:
    then = ceilings(curve(CeilingKind.GEMM, (1.0,)), curve(CeilingKind.MEMORY, (1.0,)))
    now = ceilings(curve(CeilingKind.GEMM, (1.0, 99.0)), curve(CeilingKind.LAUNCH, (9.0,)))
    assert drifts(then, now) == ()


def test_other_users_of_the_node_are_no_drift_of_the_machine() -> None:
    then = ceilings(curve(CeilingKind.JITTER, (1.0,)), curve(CeilingKind.STORAGE_COLD, (1.0,)))
    now = ceilings(curve(CeilingKind.JITTER, (9.0,)), curve(CeilingKind.STORAGE_COLD, (0.1,)))
    assert drifts(then, now) == ()


def test_a_time_of_nothing_is_not_divided_by() -> None:
    nothing = replace(
        curve(CeilingKind.LAUNCH, (1.0,)), rates=(Interval(low=0, value=0, high=0, level=0.95, count=6),)
    )
    assert drifts(ceilings(nothing), ceilings(curve(CeilingKind.LAUNCH, (1.0,)))) == ()


def test_noise_within_the_intervals_is_seldom_called_a_drift() -> None:
    noise = random.Random(4)
    then = ceilings(curve(CeilingKind.GEMM, (1.0,) * 20, width=0.1))
    false = 0
    for _ in range(50):
        values = tuple(noise.lognormvariate(0, 0.08) for _ in range(20))
        false += bool(drifts(then, ceilings(curve(CeilingKind.GEMM, values, width=0.1))))
    assert false <= 5

"""Ceilings are curves over operation size."""

from dataclasses import replace

import pytest

from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings, contended_cores
from saih.domain.interval import Interval


def rate(value: float) -> Interval:
    return Interval(low=value * 0.9, value=value, high=value * 1.1, level=0.95, count=7)


def curve(kind: CeilingKind, sizes: tuple[float, ...], rates: tuple[float, ...]) -> Ceiling:
    precision = "float32" if kind in {CeilingKind.GEMM, CeilingKind.CONVOLUTION_FORWARD} else ""
    return Ceiling(
        kind=kind,
        precision=precision,
        unit="FLOP/s",
        size_unit="n",
        sizes=sizes,
        rates=tuple(rate(value) for value in rates),
    )


def ceilings(*curves: Ceiling) -> Ceilings:
    return Ceilings(
        environment_id="e",
        placement_label="p",
        curves=curves,
        measured_utc="2026-01-01T00:00:00Z",
        all_reduce_latency_s=None,
        all_reduce_bytes_per_s=None,
        vendor_flops_per_s={},
    )


GEMM = curve(CeilingKind.GEMM, (100, 400, 1600), (10.0, 40.0, 20.0))


def test_a_curve_passes_through_its_points_and_is_constant_beyond_its_ends() -> None:
    assert [GEMM.at(size) for size in (1, 100, 400, 1600, 1e9)] == pytest.approx([10, 10, 40, 20, 20])


def test_between_points_a_curve_is_straight_in_logarithms() -> None:
    assert GEMM.at(200) == pytest.approx(20.0)
    assert GEMM.at(800) == pytest.approx((40 * 20) ** 0.5)


def test_the_best_of_a_curve_need_not_be_its_last_point() -> None:
    assert GEMM.best.value == 40.0


def test_a_curve_of_one_point_is_that_constant() -> None:
    assert curve(CeilingKind.LAUNCH, (1,), (5e-6,)).at(7) == 5e-6


@pytest.mark.parametrize(
    ("sizes", "rates"), [((), ()), ((1.0,), (1.0, 2.0)), ((2.0, 1.0), (1.0, 1.0)), ((1.0, 1.0), (1.0, 1.0))]
)
def test_a_curve_needs_growing_sizes_with_one_rate_each(
    sizes: tuple[float, ...], rates: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match="ceiling"):
        curve(CeilingKind.MEMORY, sizes, rates)


def test_peak_is_the_best_of_products_and_convolutions_in_the_asked_precision() -> None:
    both = ceilings(GEMM, curve(CeilingKind.CONVOLUTION_FORWARD, (8, 64), (5.0, 50.0)))
    peak = both.peak_flops_per_s("float32")
    assert peak is not None
    assert peak.value == 50.0
    assert both.peak_flops_per_s("bfloat16") is None


def test_a_curve_that_was_not_measured_is_none() -> None:
    assert ceilings(GEMM).curve(CeilingKind.MEMORY) is None
    assert ceilings(GEMM).curve(CeilingKind.GEMM, "float32") is GEMM


def test_without_a_variant_the_first_curve_of_a_kind_is_meant() -> None:
    gloo, mpi = (
        replace(curve(CeilingKind.ALL_REDUCE, (4, 8), (1.0, 2.0)), variant=name) for name in ("gloo", "mpi")
    )
    found = ceilings(gloo, mpi)
    assert found.curve(CeilingKind.ALL_REDUCE) is gloo
    assert found.curve(CeilingKind.ALL_REDUCE, variant="mpi") is mpi
    assert found.curve(CeilingKind.ALL_REDUCE, variant="nccl") is None


def test_between_numbered_things_a_curve_takes_the_lower_one() -> None:
    assert curve(CeilingKind.JITTER, (0, 1, 2), (3.0, 5.0, 7.0)).at(0.5) == 3.0


def at(moment: str, value: float) -> Ceilings:
    return replace(ceilings(curve(CeilingKind.GEMM, (8,), (value,))), measured_utc=moment)


OLD, NEW = at("2026-01-01T00:00:00+00:00", 100.0), at("2026-03-01T00:00:00+00:00", 50.0)


def test_a_record_from_before_a_drift_keeps_the_ceilings_of_its_time() -> None:
    found = NEW.after(OLD, has_drifted=True, reason="drifted")
    assert found.in_force("2026-02-01T00:00:00Z").curves == OLD.curves
    assert found.in_force("2025-12-01T00:00:00+00:00").curves == OLD.curves
    assert found.in_force("2026-03-01T00:00:00+00:00") is found
    assert found.in_force("no moment") is found
    assert found.in_force("2026-02-01").measured_utc == OLD.measured_utc


def test_measuring_the_same_machine_again_counts_for_all_records_and_keeps_the_older_ones() -> None:
    found = NEW.after(OLD, has_drifted=False, reason="measured again")
    assert found.in_force("2026-02-01T00:00:00Z") is found
    assert [old.curves for old in found.superseded] == [OLD.curves]
    assert found.superseded[0].reason == "measured again"


def test_a_file_does_not_grow_with_every_measurement_and_keeps_what_records_are_bound_to() -> None:
    found = NEW.after(OLD, has_drifted=True, reason="drifted")
    for day in range(1, 21):
        again = at(f"2026-04-{day:02}T00:00:00+00:00", 50.0 + day)
        found = again.after(found, has_drifted=False, reason="measured again")
    assert found.in_force("2026-02-01T00:00:00Z").curves == OLD.curves
    assert len(found.superseded) < 10
    assert found.superseded[-1].measured_utc == "2026-04-19T00:00:00+00:00"


def test_each_record_finds_its_ceilings_through_several_drifts() -> None:
    newest = at("2026-05-01T00:00:00+00:00", 25.0)
    found = newest.after(NEW.after(OLD, has_drifted=True, reason="a"), has_drifted=True, reason="b")
    values = [found.in_force(f"2026-0{month}-15T00:00:00+00:00").curves[0].best.value for month in (2, 4, 6)]
    assert values == [100.0, 50.0, 25.0]


def quanta(median: float, *late: float) -> tuple[Ceiling, Ceiling]:
    cores = tuple(float(core) for core in range(len(late)))
    return (
        curve(CeilingKind.JITTER, cores, late),
        replace(curve(CeilingKind.JITTER, cores, (median,) * len(late)), variant="median"),
    )


def test_a_core_is_contended_when_its_quanta_are_late_or_long() -> None:
    assert contended_cores(ceilings(*quanta(1e-4, 1e-6, 3e-3, 2e-6))) == (1,)
    late, median = quanta(1e-4, 1e-6, 1e-6)
    slower = replace(median, rates=(median.rates[0], rate(1.5e-4)))
    assert contended_cores(ceilings(late, slower)) == (1,)
    assert contended_cores(ceilings(GEMM)) == ()


def test_the_peak_names_the_operation_that_it_is_of() -> None:
    forward = curve(CeilingKind.CONVOLUTION_FORWARD, (8, 64), (5.0, 50.0))
    found = ceilings(GEMM, forward)
    peak = found.peak_curve("float32")
    assert peak is forward
    assert peak.best_words == "convolution forward in float32, n 64"
    assert found.peak_flops_per_s("float32") == forward.best
    assert found.peak_curve("bfloat16") is None


def test_curves_of_one_more_number_format_are_kept_beside_the_others() -> None:
    lower = replace(GEMM, precision="bfloat16")
    first = replace(ceilings(GEMM), vendor_flops_per_s={"float32": 1e3, "bfloat16": 1e3})
    more = replace(ceilings(lower), vendor_flops_per_s={"float32": 1e3})  # it was beaten in bfloat16
    both = first.keeping(more)
    assert both.precisions == both.tried_precisions == {"float32", "bfloat16"}
    assert both.vendor_flops_per_s == {"float32": 1e3}
    beaten = replace(ceilings(GEMM), vendor_flops_per_s={})  # in float32, by what was measured here
    assert beaten.keeping(more).vendor_flops_per_s == {}
    in_vain = replace(ceilings(), absent={"bfloat16": "no such operation", "gemm": "no such operation"})
    tried = first.keeping(in_vain)
    assert tried.tried_precisions == {"float32", "bfloat16"}
    assert tried.absent == {"bfloat16": "no such operation"}
    assert tried.curves == first.curves

"""Ceilings are shown as curves and as tables, and what is absent is said."""

from dataclasses import replace

from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings, LatencySegment
from saih.domain.interval import Interval
from saih.reports.ceiling_curves_figure import ceiling_curves_figure
from saih.reports.ceilings_table import ceilings_table, message_laws_table
from tests.reports.svg_texts import boxes_of, outside, overlapping

TOLERANCE = 0.35
MESSAGES = {CeilingKind.ALL_REDUCE, CeilingKind.ALL_GATHER, CeilingKind.REDUCE_SCATTER, CeilingKind.SEND}


def curve(kind: CeilingKind, variant: str = "", factor: float = 1.0) -> Ceiling:
    is_time = kind in MESSAGES
    sizes = tuple(4.0**power for power in range(2, 13))
    values = [1e-6 + size / 1e9 if is_time else 1e11 * factor * size / (size + 1e3) for size in sizes]
    return Ceiling(
        kind=kind,
        precision="float32" if kind is CeilingKind.GEMM else "",
        unit="s" if is_time else "bytes/s",
        size_unit="bytes",
        sizes=sizes,
        rates=tuple(
            Interval(low=value * 0.9, value=value, high=value * 1.1, level=0.95, count=6) for value in values
        ),
        variant=variant,
        segments=(
            LatencySegment(from_bytes=16.0, to_bytes=4096.0, latency_s=1e-6, bytes_per_s=None),
            LatencySegment(from_bytes=16384.0, to_bytes=4.0**12, latency_s=None, bytes_per_s=1e9),
        )
        if is_time
        else (),
    )


def ceilings(*curves: Ceiling) -> Ceilings:
    return Ceilings(
        environment_id="e",
        placement_label="2 ranks",
        curves=curves,
        measured_utc="2026-01-01T00:00:00+00:00",
        all_reduce_latency_s=None,
        all_reduce_bytes_per_s=None,
        vendor_flops_per_s={},
    )


EVERYTHING = ceilings(
    *(
        curve(kind, variant, 1 + place / 3)
        for kind in CeilingKind
        if kind not in (CeilingKind.JITTER, CeilingKind.LAUNCH)
        for place, variant in enumerate(("gloo", "mpi") if kind in MESSAGES else ("random", "4 readers"))
    )
)


def test_the_figure_of_every_kind_keeps_its_texts_apart_and_inside() -> None:
    svg = ceiling_curves_figure(EVERYTHING, "float32")
    assert svg is not None
    assert overlapping(boxes_of(svg), TOLERANCE) == []
    assert outside(svg, TOLERANCE) == []


def test_without_a_curve_on_logarithmic_axes_there_is_no_figure() -> None:
    assert ceiling_curves_figure(ceilings(), "float32") is None
    nothing = Interval(low=0.0, value=0.0, high=1.0, level=0.95, count=6)
    flat = curve(CeilingKind.MEMORY)
    assert ceiling_curves_figure(ceilings(replace(flat, rates=(nothing,) * len(flat.sizes))), "x") is None


def test_older_files_show_cold_reads_where_cold_reads_belong() -> None:
    dropped = replace(curve(CeilingKind.STORAGE_READ), unit="bytes/s (page cache dropped)")
    svg = ceiling_curves_figure(ceilings(dropped), "float32")
    assert svg is not None
    assert "storage, cache cold" in svg
    assert "storage, cache warm" not in svg


def test_the_table_has_every_backend_of_messages_and_one_variant_of_the_others() -> None:
    names = [row[0] for row in ceilings_table(EVERYTHING).rows]
    assert {"all reduce (gloo)", "all reduce (mpi)", "send (gloo)", "send (mpi)"} <= set(names)
    assert "storage cold (random)" in names
    assert "storage cold (4 readers)" not in names


def test_each_protocol_of_each_message_has_its_law() -> None:
    table = message_laws_table(ceilings(curve(CeilingKind.ALL_REDUCE, "mpi")))
    assert table is not None
    assert [row[0] for row in table.rows] == ["all reduce (mpi)"] * 2
    assert [row[4] for row in table.rows] == ["not in the times", "1.00\N{NO-BREAK SPACE}GB/s"]
    assert message_laws_table(ceilings(curve(CeilingKind.MEMORY))) is None


def test_a_law_of_before_there_were_protocols_is_still_told() -> None:
    older = replace(ceilings(), all_reduce_latency_s=1e-5, all_reduce_bytes_per_s=None)
    table = message_laws_table(older)
    assert table is not None
    assert table.rows[0][3:] == ("10.0\N{NO-BREAK SPACE}µs", "not in the times")

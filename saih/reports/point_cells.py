"""Cells of a measured point, as every table of points shows them."""

from saih.domain.quantity import duration, percent, share, with_si
from saih.domain.trend import PointSummary
from saih.reports.data_label import data_label
from saih.reports.label import shortened


def rung_cells(summary: PointSummary, width: int) -> tuple[str, str]:
    """The rungs of data and model, cut to ``width`` characters."""
    labels = summary.labels
    return shortened(data_label(labels, "not scaled"), width), shortened(
        labels.get("model", "not scaled"), width
    )


def measured_cells(summary: PointSummary) -> tuple[str, ...]:
    """Median step, count of steps, samples/s, FLOP/s, and the shares of measured and of vendor's peak."""
    vendor = summary.share_of_vendor_peak
    return (
        duration(summary.step_ns),
        str(summary.step_ns.count),
        with_si(summary.samples_per_s.value, ""),
        with_si(summary.flops_per_s.value, ""),
        share(summary.share_of_peak) if summary.share_of_peak else "no ceiling",
        percent(vendor.value, 3) if vendor else "unknown",
    )

"""The section on data sets that nodes copied to themselves: rates without the time of that, and with it."""

from saih.domain.quantity import in_seconds, with_si
from saih.domain.staged import Staged
from saih.domain.trend import RANKS_AXIS, Analysis, PointSummary
from saih.reports.document import Column, Paragraph, Section, Table
from saih.reports.label import shortened

EPOCHS = (1, 10)
"""Passes over the data set whose rates are told with its staging inside."""
_WORDS = (
    "Before the first point every node copied what its ranks read to a folder of its own, and checked it. "
    "Everywhere else in this report that time stands outside of rates. Inside: the samples of so many epochs "
    "over the time of their steps and of copying the whole data set once, at the rate at which it was copied."
)


def staging_section(analysis: Analysis) -> Section | None:
    """Rates with staging outside and inside, side by side; None where nothing was staged."""
    rows = tuple(
        _row(point, point.staged)
        for point in analysis.points
        if point.staged is not None and _num_samples(point)
    )
    if not rows:
        return None
    inside = tuple(
        Column(title=f"inside, {number} epoch{'' if number == 1 else 's'}", weight=1.0, side="right")
        for number in EPOCHS
    )
    columns = (
        Column(title="point", weight=2.4),
        Column(title="ranks", weight=0.5, side="right"),
        Column(title="copied to a node", weight=1.0, side="right"),
        Column(title="in", weight=0.8, side="right"),
        Column(title="rate of a node", weight=1.0, side="right"),
        Column(title="samples/s, staging outside", weight=1.2, side="right"),
        *inside,
    )
    table = Table(columns=columns, rows=rows, alt="Rates with the staging of data outside and inside")
    return Section(title="Staging", blocks=(Paragraph(text=_WORDS), table), is_short=True)


def _row(point: PointSummary, staged: Staged) -> tuple[str, ...]:
    rate, samples = point.samples_per_s.value, _num_samples(point)
    rungs = [shortened(label, 40) for axis, label in sorted(point.labels.items()) if axis != RANKS_AXIS]
    return (
        ", ".join(rungs) or point.point.point_id,
        str(point.point.placement.num_ranks),
        with_si(staged.num_bytes, "B"),
        in_seconds(staged.duration_s * 1e9),
        with_si(staged.bytes_per_s, "B/s"),
        with_si(rate, ""),
        *(with_si(staged.samples_per_s(rate, samples, number), "") for number in EPOCHS),
    )


def _num_samples(point: PointSummary) -> int:
    """Of the data set; 0 where the problem has none."""
    number = point.point.problem.data.get("samples")
    return number if isinstance(number, int) else 0

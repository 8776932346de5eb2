"""The history of a system in words: every sentence is a claim."""

from collections.abc import Iterable
from dataclasses import replace

from saih.domain.claim import Claim
from saih.domain.history import Change, History, Series
from saih.domain.quantity import counted, factor, percent
from saih.reports.label import shortened

_NAME = 60
_MOST_POINTS = 8


def history_claims(history: History) -> tuple[Claim, ...]:
    """What changed over all, then at single points."""
    return (
        Claim(
            claim_id="history/overall",
            text=f"Over all: {series_words(history.overall)}.",
            record_ids=history.overall.record_ids,
        ),
        *_points(history),
    )


def series_words(series: Series) -> str:
    """When the speed of a series changed, and by how much."""
    if series.changes:
        return "; ".join(_change(change) for change in series.changes)
    if series.remark:
        return f"no change can be told: {series.remark}"
    return f"no change in {counted(sum(rate is not None for rate in series.rates), 'run')}"


def without_shared(history: History) -> History:
    """The history with labels that tell its points apart, where some are the same at all points."""
    axes = {axis for series in history.points for axis in series.labels}
    shared = {axis for axis in axes if len({series.labels.get(axis) for series in history.points}) == 1}
    if shared == axes:
        return history
    points = tuple(
        replace(one, labels={axis: label for axis, label in one.labels.items() if axis not in shared})
        for one in history.points
    )
    return replace(history, points=points)


def series_name(series: Series) -> str:
    """A series by its rungs."""
    return shortened(", ".join(label for label in series.labels.values() if label), 2 * _NAME) or "a point"


def moment_words(moment: str) -> str:
    """A moment to the minute."""
    return moment[:16].replace("T", " ") + " UTC" if moment else "an unknown time"


def _change(change: Change) -> str:
    word = "faster" if change.ratio.value > 1 else "slower"
    since = f"{shortened(change.since.name, _NAME)} ({moment_words(change.since.measured_utc)})"
    size = f"{factor(change.ratio)} the speed before ({percent(change.ratio.level)} interval)"
    return f"{word} since {since}: {size}"


def _points(history: History) -> Iterable[Claim]:
    changed = [series for series in history.points if series.changes]
    for number, series in enumerate(changed[:_MOST_POINTS], start=1):
        yield Claim(
            claim_id=f"history/point/{number}",
            text=f"{series_name(series)}: {series_words(series)}.",
            record_ids=series.record_ids,
        )
    yield Claim(
        claim_id="history/points",
        text=f"{len(changed)} of {counted(len(history.points), 'point')} changed.",
        record_ids=tuple(record for series in history.points for record in series.record_ids),
    )

"""Failed and dropped points as a table: what they need, what is there, and the reason of each."""

from collections.abc import Sequence

from saih.domain.quantity import counted, with_si
from saih.domain.sweep import DroppedPoint
from saih.domain.trend import Analysis, FailedPoint
from saih.reports.document import Column, Table
from saih.reports.grid import setting_of
from saih.reports.label import shortened
from saih.reports.setting import setting_names

_MOST_ROWS = 30
_NAME, _REASON = 120, 300
Lost = FailedPoint | DroppedPoint


def edge_table(analysis: Analysis) -> Table:
    """One row for each point; of many, one for those of one setting that ended alike for one want."""
    lost: tuple[Lost, ...] = (*analysis.failed, *analysis.dropped)
    names = setting_names((*analysis.points, *lost))
    groups: dict[tuple[str, ...], list[Lost]] = {}
    for point in lost:
        alone = () if len(lost) > _MOST_ROWS else (point.point.point_id,)
        key = (names[setting_of(point.point)], _outcome(point), _lacking(point), *alone)
        groups.setdefault(key, []).append(point)
    columns = (
        Column(title="point" if len(lost) <= _MOST_ROWS else "points", weight=2.2),
        Column(title="setting", weight=1.3),
        Column(title="outcome", weight=1.1),
        Column(title="tries", weight=0.5, side="right"),
        Column(title="needs, as predicted", weight=1.5, side="right"),
        Column(title="is there", weight=1.3, side="right"),
        Column(title="reason", weight=3.4),
    )
    rows = tuple(_row(key[0], key[1], group) for key, group in groups.items())
    return Table(columns=columns, rows=rows, alt="Points without a measurement")


def _row(setting: str, outcome: str, group: Sequence[Lost]) -> tuple[str, ...]:
    least = min(group, key=lambda point: point.tensor_bytes or 0)
    attempts = sorted({_attempts(point) for point in group})
    reason = shortened(least.reason, _REASON) or "not recorded"
    return (
        _rungs(least) if len(group) == 1 else f"{counted(len(group), 'point')} from {_rungs(least)} on",
        shortened(setting, _NAME),
        outcome,
        str(attempts[0]) if len(attempts) == 1 else f"{attempts[0]} to {attempts[-1]}",
        _needed(least),
        _available(least),
        reason if len(group) == 1 else f"Such as: {reason}",
    )


def _outcome(point: Lost) -> str:
    return "dropped" if isinstance(point, DroppedPoint) else str(point.outcome).replace("_", " ")


def _lacking(point: Lost) -> str:
    """What there was too little of, where the plan says so."""
    return str(point.shortage.of) if isinstance(point, DroppedPoint) and point.shortage else ""


def _attempts(point: Lost) -> int:
    return 0 if isinstance(point, DroppedPoint) else point.num_attempts


def _needed(point: Lost) -> str:
    if isinstance(point, DroppedPoint) and point.shortage is not None:
        return f"{with_si(point.shortage.needed_bytes, 'B')} ({point.shortage.of})"
    if point.tensor_bytes is None:
        return "not known"
    return f"{with_si(point.tensor_bytes, 'B')} (tensors of one rank)"


def _available(point: Lost) -> str:
    if isinstance(point, DroppedPoint) and point.shortage is not None:
        return with_si(point.shortage.available_bytes, "B")
    return "not known"


def _rungs(point: Lost) -> str:
    words = ", ".join(point.labels[axis] for axis in sorted(point.labels))
    return shortened(words, _NAME) or point.point.point_id

"""The section on what would help: for each region of the grid the changes that would save most."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

from saih.domain.claim import Claim
from saih.domain.interval import Interval
from saih.domain.quantity import counted, percent, share
from saih.domain.trend import Analysis, Limit, PointSummary
from saih.domain.what_if import Alteration, Part, Saving
from saih.reports.document import Bullets, Column, Paragraph, Section, Table

_LEAST = 0.02
"""Savings below this share of the step help nobody."""
_IDEAL_WORDS: Mapping[Part, str] = {
    Part.INPUT: "input that is always there",
    Part.INTERCONNECT: "an exchange that takes nothing",
    Part.IMBALANCE: "ranks with equal work",
    Part.LAUNCH: "launches that take nothing",
    Part.UNEXPLAINED: "operations at their measured ceilings",
}
_INTRODUCTION = (
    "Predicted by replaying the measured steps with one change each; none of it was measured. An interval "
    "(90 %) holds that time which no ceiling explains may belong to what is changed, or not at all. "
    "`saih what-if` answers for any other change."
)


def what_if_section(analysis: Analysis) -> Section | None:
    """One row for each limit: its ideal and its doubling that save most; None where nothing was replayed."""
    points = {point.record_id: point for point in analysis.points}
    regions: dict[Limit, list[Saving]] = defaultdict(list)
    for saving in analysis.savings:
        if saving.record_id in points:
            regions[points[saving.record_id].diagnosis.limit].append(saving)
    if not regions:
        return None
    rows = [_row(limit, own, points) for limit, own in regions.items()]
    columns = (
        Column(title="region: limited by", weight=1.2),
        Column(title="points", weight=0.5, side="right"),
        Column(title="largest saving by an ideal", weight=2.2),
        Column(title="of the step", weight=1.3),
        Column(title="largest saving by a doubling", weight=1.6),
        Column(title="of the step", weight=1.3),
    )
    return Section(
        title="What would help (predicted)",
        blocks=(
            Paragraph(text=_INTRODUCTION),
            Table(columns=columns, rows=tuple(rows), alt="Predicted savings by region"),
            Bullets(items=tuple(_claim(limit, own) for limit, own in regions.items())),
        ),
    )


def _row(limit: Limit, own: Sequence[Saving], points: Mapping[str, PointSummary]) -> tuple[str, ...]:
    ideal, doubled = (
        _best([one for one in own if one.alteration.is_removal is kind]) for kind in (True, False)
    )
    count = sum(point.diagnosis.limit is limit for point in points.values())
    return (str(limit), str(count), *_cells(ideal), *_cells(doubled))


def _best(own: Sequence[Saving]) -> tuple[Alteration, Interval] | None:
    """The change that is the best of most points, and the median of what it saves there."""
    groups: dict[Alteration, list[Saving]] = defaultdict(list)
    for saving in own:
        groups[saving.alteration].append(saving)
    if not groups:
        return None
    best = max(groups, key=lambda one: (len(groups[one]), sum(saving.share.value for saving in groups[one])))
    shares = [saving.share for saving in groups[best]]
    middle = Interval(
        low=median(one.low for one in shares),
        value=median(one.value for one in shares),
        high=median(one.high for one in shares),
        level=shares[0].level,
        count=len(shares),
    )
    return best, middle


def _cells(found: tuple[Alteration, Interval] | None) -> tuple[str, str]:
    if found is None:
        return "unknown: no ceilings", ""
    alteration, saved = found
    if saved.high < _LEAST:
        return "nothing", f"less than {percent(_LEAST)}"
    return _words(alteration), share(saved)


def _words(alteration: Alteration) -> str:
    return _IDEAL_WORDS[alteration.part] if alteration.is_removal else f"{alteration.part} twice as fast"


def _claim(limit: Limit, own: Sequence[Saving]) -> Claim:
    found = _best([one for one in own if one.alteration.is_removal]) or _best(own)
    records = tuple(dict.fromkeys(saving.record_id for saving in own))
    text = f"Where the limit is {limit}, nothing was replayed."
    if found is not None:
        alteration, saved = found
        text = (
            f"Where the limit is {limit}, {_words(alteration)} would save {share(saved)} of the step "
            f"(predicted, median of {counted(saved.count, 'point')})."
        )
        if saved.high < _LEAST:
            text = f"Where the limit is {limit}, no single ideal would save {percent(_LEAST)} of the step."
    return Claim(claim_id=f"what-if/{limit}", text=text, record_ids=records)

"""What a sweep says of energy, in sentences: joules of a sample, what was counted, and why not more."""

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence

from saih.domain.claim import Claim
from saih.domain.energy import Energy
from saih.domain.quantity import counted, interval_with_si, with_si
from saih.domain.trend import Analysis, EnergyTrend, PointSummary
from saih.reports.label import plain, shortened
from saih.reports.words import point_words

_MOST_TRENDS = 12
_TREND = "energy/trend/"
_LONGEST_COVERAGE = 400


def per_sample(energy: Energy) -> str:
    """Joules per sample with its interval, or saying that it has none."""
    if energy.joules_per_sample is not None:
        return interval_with_si(energy.joules_per_sample, "J")
    mean = with_si(energy.mean_joules_per_sample, "J")
    return f"{mean} (no interval: {counted(energy.num_blocks, 'block')})"


def energy_claims(analysis: Analysis) -> tuple[Claim, ...]:
    """What was found, or why nothing was; empty without points."""
    if not analysis.points:
        return ()
    known = [point for point in analysis.points if point.energy is not None]
    if not known:
        return (_none(analysis.points),)
    lacking = [point for point in analysis.points if point.energy is None]
    return (
        _range(known),
        *_coverages(known),
        *(_trend(trend, number, analysis) for number, trend in _numbered(analysis.energy_trends)),
        *([_lacking(lacking)] if lacking else []),
    )


def energy_lines(analysis: Analysis, width: int = 80) -> list[str]:
    """The same for a terminal without the trends, wrapped at ``width``."""
    told = [claim for claim in energy_claims(analysis) if not claim.claim_id.startswith(_TREND)]
    sentences = [
        line
        for claim in told
        for line in textwrap.wrap(plain(claim.text), width, initial_indent="- ", subsequent_indent="  ")
    ]
    return ["Energy", *sentences] if told else []


def trend_name(trend: EnergyTrend, points: Mapping[str, PointSummary]) -> str:
    """The rungs of the other axes, by which trends over one axis differ."""
    labels = points[trend.record_ids[0]].labels if trend.record_ids[0] in points else {}
    others = [shortened(label, 40) for axis, label in sorted(labels.items()) if axis != trend.axis]
    return ", ".join(others) or shortened(trend.fixed, 80)


def _numbered(trends: Sequence[EnergyTrend]) -> list[tuple[int, EnergyTrend]]:
    """As many trends as a list has room for, with their number along their axis."""
    seen: Counter[str] = Counter()
    numbered = []
    for trend in trends[:_MOST_TRENDS]:
        seen[trend.axis] += 1
        numbered.append((seen[trend.axis], trend))
    return numbered


def _none(points: Sequence[PointSummary]) -> Claim:
    return Claim(
        claim_id="energy/none",
        text=f"No energy is told: {_reasons(points)}.",
        record_ids=tuple(point.record_id for point in points),
    )


def _lacking(points: Sequence[PointSummary]) -> Claim:
    return Claim(
        claim_id="energy/lacking",
        text=f"{counted(len(points), 'point')} without an energy: {_reasons(points)}.",
        record_ids=tuple(point.record_id for point in points),
    )


def _reasons(points: Sequence[PointSummary]) -> str:
    """The most frequent reason, with how many points have it where there are several."""
    reasons = Counter(point.energy_reason or "no reason was recorded" for point in points)
    reason, number = min(reasons.items(), key=lambda item: (-item[1], item[0]))
    said = shortened(reason, 300).rstrip(".")
    if len(reasons) == 1:
        return said
    return (
        f"{said} ({number} of {counted(len(points), 'point')}; {counted(len(reasons) - 1, 'other reason')})"
    )


def _range(points: Sequence[PointSummary]) -> Claim:
    """Least and greatest; points that count different parts are not held against each other."""
    ids = tuple(point.record_id for point in points)
    energies = {point.record_id: point.energy for point in points if point.energy is not None}
    if len({energy.parts for energy in energies.values()}) > 1:
        text = (
            f"{counted(len(points), 'point')} have an energy, but of different parts of their nodes: they "
            "cannot be compared."
        )
        return Claim(claim_id="energy/range", text=text, record_ids=ids)
    ordered = sorted(points, key=lambda point: energies[point.record_id].best_joules_per_sample)
    words = [
        f"{per_sample(energies[end.record_id])} ({point_words(end)})" for end in (ordered[0], ordered[-1])
    ]
    if len(points) == 1:
        text = f"A sample takes {words[0]} at the one point with an energy."
    else:
        text = f"A sample takes from {words[0]} to {words[1]} over {counted(len(points), 'point')}."
    return Claim(claim_id="energy/range", text=text, record_ids=ids)


def _coverages(points: Sequence[PointSummary]) -> list[Claim]:
    """What was counted, each kind of coverage once."""
    groups: dict[tuple[str, str], list[str]] = {}
    for point in points:
        if point.energy is not None:
            key = point.energy.source, point.energy.coverage
            groups.setdefault(key, []).append(point.record_id)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        Claim(
            claim_id=f"energy/coverage-{number}",
            text=f"Counted ({shortened(source, 40)}, {counted(len(ids), 'point')}): "
            f"{shortened(coverage, _LONGEST_COVERAGE)}.",
            record_ids=tuple(ids),
        )
        for number, ((source, coverage), ids) in enumerate(ordered[:4], 1)
    ]


def _trend(trend: EnergyTrend, number: int, analysis: Analysis) -> Claim:
    points = {point.record_id: point for point in analysis.points}
    name = trend_name(trend, points)
    ends = per_sample(trend.energies[0]), per_sample(trend.energies[-1])
    growth = f"from {ends[0]} to {ends[1]} a sample over {counted(len(trend.energies), 'point')}"
    law = f"law: {trend.law}" if trend.curve else trend.law
    return Claim(
        claim_id=f"{_TREND}{trend.axis}/{number}",
        text=f"Along {shortened(trend.axis, 40)} ({name}): {growth}; {law}.",
        record_ids=trend.record_ids,
        fit=trend.law if trend.curve else "",
    )

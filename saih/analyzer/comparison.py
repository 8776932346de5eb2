"""Two analyses side by side, on points that ask the same and on nothing else."""

from collections import defaultdict
from dataclasses import asdict

from saih.analyzer.propagation import geometric_mean, quotient
from saih.domain.trend import RANKS_AXIS, Analysis, Comparison, MatchedPoint, PointSummary

Key = tuple[object, ...]


def compare(analysis_a: Analysis, analysis_b: Analysis, name_a: str, name_b: str) -> Comparison:
    """Rate of A over B on every point that both measured, and the geometric mean of these ratios.

    Points match when workload, problem, batch, precision, exchange and the shape of the placement agree;
    device, seed and timing budget may differ. Analyses without a common point give a comparison without
    ratios that lists what each has.
    """
    groups_a, groups_b = _by_key(analysis_a), _by_key(analysis_b)
    matched: list[MatchedPoint] = []
    only_a: list[PointSummary] = []
    only_b = [point for key, group in groups_b.items() if key not in groups_a for point in group]
    for key, group in groups_a.items():
        pairs, rest_a, rest_b = _pair(group, groups_b.get(key, []))
        matched += [_match(a, b) for a, b in pairs]
        only_a += rest_a
        only_b += rest_b
    return Comparison(
        name_a=name_a,
        name_b=name_b,
        matched=tuple(matched),
        only_a=tuple(_label(point) for point in only_a),
        only_b=tuple(_label(point) for point in only_b),
        differences=_differences(analysis_a, analysis_b, name_a, name_b),
        geometric_mean=geometric_mean([match.speed_ratio for match in matched]),
    )


def _by_key(analysis: Analysis) -> dict[Key, list[PointSummary]]:
    groups: dict[Key, list[PointSummary]] = defaultdict(list)
    for summary in analysis.points:
        groups[_key(summary)].append(summary)
    return groups


def _key(summary: PointSummary) -> Key:
    point = summary.point
    shape = {name: value for name, value in asdict(point.placement).items() if name != "device"}
    return (
        point.workload,
        point.problem,
        point.batch_per_rank,
        point.precision,
        point.exchange,
        tuple(sorted(shape.items())),
    )


def _pair(
    group_a: list[PointSummary], group_b: list[PointSummary]
) -> tuple[list[tuple[PointSummary, PointSummary]], list[PointSummary], list[PointSummary]]:
    """Partners one to one: those with equal device and seed first, then in the order of both."""
    pairs: list[tuple[PointSummary, PointSummary]] = []
    rest_a, rest_b = list(group_a), list(group_b)
    for a in group_a:
        twin = next((b for b in rest_b if _twin(b) == _twin(a)), None)
        if twin is not None:
            pairs.append((a, twin))
            rest_a.remove(a)
            rest_b.remove(twin)
    common = min(len(rest_a), len(rest_b))
    pairs += zip(rest_a[:common], rest_b[:common], strict=True)
    return pairs, rest_a[common:], rest_b[common:]


def _twin(summary: PointSummary) -> tuple[str, int]:
    return summary.point.placement.device, summary.point.seed


def _match(a: PointSummary, b: PointSummary) -> MatchedPoint:
    ratio = quotient(b.step_ns, a.step_ns)
    return MatchedPoint(
        labels={**_problem_labels(a), "placement": a.point.placement.label},
        record_a=a.record_id,
        record_b=b.record_id,
        step_a_ns=a.step_ns,
        step_b_ns=b.step_ns,
        speed_ratio=ratio,
        share_a=a.share_of_peak,
        share_b=b.share_of_peak,
        is_different=not ratio.low <= 1 <= ratio.high,
    )


def _problem_labels(summary: PointSummary) -> dict[str, str]:
    """Labels without that of the ranks, which the placement says."""
    return {axis: label for axis, label in summary.labels.items() if axis != RANKS_AXIS}


def _label(summary: PointSummary) -> str:
    point = summary.point
    rungs = ", ".join(f"{axis} {label}" for axis, label in _problem_labels(summary).items())
    return (
        f"{point.workload}: {rungs}; batch {point.batch_per_rank} per rank, {point.precision}, "
        f"exchange {point.exchange}, {point.placement.label}, seed {point.seed}"
    )


def _differences(analysis_a: Analysis, analysis_b: Analysis, name_a: str, name_b: str) -> tuple[str, ...]:
    facts_a, facts_b = analysis_a.environment.facts, analysis_b.environment.facts
    said = [
        f"{fact}: {name_a} has {facts_a.get(fact, 'no entry')}, {name_b} has {facts_b.get(fact, 'no entry')}."
        for fact in sorted({*facts_a, *facts_b})
        if facts_a.get(fact) != facts_b.get(fact)
    ]
    devices = [
        sorted({p.point.placement.device for p in analysis.points}) for analysis in (analysis_a, analysis_b)
    ]
    if devices[0] != devices[1]:
        said.append(f"Devices: {name_a} used {', '.join(devices[0])}, {name_b} used {', '.join(devices[1])}.")
    return tuple(said)

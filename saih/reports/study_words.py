"""What studies found, in sentences: which points pose problems worth learning, and what a search reached."""

from collections import Counter
from collections.abc import Sequence

from saih.domain.claim import Claim
from saih.domain.interval import Interval
from saih.domain.quantity import counted, with_si
from saih.domain.study import Findings, Gate, GateVerdict, Learned, Search, Validation
from saih.domain.trend import Analysis, PointSummary
from saih.reports.label import shortened

NOT_STUDIED: GateVerdict = "not run"
_MARKS: dict[GateVerdict, str] = {"passed": "yes", "failed": "NO", "not run": "-"}


def mark_of(point: PointSummary) -> GateVerdict:
    """Whether the gates of a point were passed, failed or not run."""
    return NOT_STUDIED if point.validation is None else point.validation.findings.verdict


def gate_mark(gate: Gate | None) -> str:
    """One gate in a cell."""
    return "-" if gate is None else _MARKS[gate.verdict]


def counts_words(findings: Findings) -> str:
    """Such as ``7 of 9 gates passed, 1 failed (G5), 1 not run``."""
    counts = findings.counts
    failed = ", ".join(gate.name for gate in findings.gates if gate.verdict == "failed")
    parts = [f"{counts['passed']} of {counted(len(findings.gates), 'gate')} passed"]
    parts += [f"{counts['failed']} failed ({failed})"] if failed else []
    parts += [f"{counts['not run']} not run"] if counts["not run"] else []
    return ", ".join(parts)


def is_learning(analysis: Analysis) -> bool:
    """Whether anything is trained at its points, so that gates have a meaning."""
    return any(point.loss.is_learning is not None for point in analysis.points)


def marks_claim(analysis: Analysis) -> Claim | None:
    """How many points pose problems that were shown to be worth learning; None where nothing learns."""
    if not is_learning(analysis):
        return None
    points = analysis.points
    marks = Counter(mark_of(point) for point in points)
    ids = tuple(point.record_id for point in points)
    if set(marks) == {NOT_STUDIED}:
        text = (
            f"Whether the problems of {counted(len(points), 'point')} can be learnt was not looked at: "
            "their gates did not run (`saih validate`)."
        )
        return Claim(claim_id="gates", text=text, record_ids=ids)
    text = (
        f"Gates of a problem worth learning, of {counted(len(points), 'point')}: passed at "
        f"{marks['passed']}, failed at {marks['failed']}, not run at {marks['not run']}."
    )
    return Claim(claim_id="gates", text=text, record_ids=ids)


def failure_claims(analysis: Analysis, most: int) -> tuple[Claim, ...]:
    """What each failed gate says, once for each problem, and at which points."""
    groups: dict[tuple[str, str], list[PointSummary]] = {}
    statements: dict[tuple[str, str], str] = {}
    for point in analysis.points:
        for gate in () if point.validation is None else point.validation.findings.gates:
            if gate.verdict == "failed" and point.validation is not None:
                key = point.validation.subject_id, gate.name
                groups.setdefault(key, []).append(point)
                statements[key] = f"{gate.name} ({gate.title}) failed: {gate.statement}"
    claims = [
        Claim(
            claim_id=f"gates/{subject_id}/{name.lower()}",
            text=f"{problem_words(points[0])}: {shortened(statements[subject_id, name], 400)}.",
            record_ids=tuple(point.record_id for point in points),
        )
        for (subject_id, name), points in groups.items()
    ]
    return tuple(claims[:most])


def problem_words(point: PointSummary) -> str:
    """The rungs of data and model."""
    labels = [point.labels[axis] for axis in ("data", "model") if axis in point.labels]
    return shortened(", ".join(labels), 80) or point.point.point_id


def search_claim(search: Search) -> Claim:
    """What the search reached from its cheapest model to its dearest, and how sure that is."""
    rungs = search.frontier.rungs
    front = [rung for rung in rungs if rung.is_on_front] or list(rungs)
    ends = [front[0]] if len(front) == 1 else [front[0], front[-1]]
    losses = ", ".join(
        f"{interval_words(rung.loss)} at {with_si(rung.flops_per_sample, 'FLOP')} a sample ({rung.label})"
        for rung in ends
    )
    text = (
        f"Models that learn best at their cost: {search.frontier.metric} {losses}; {len(front)} of "
        f"{counted(len(rungs), 'rung')} on the front, {counted(search.frontier.num_trials, 'trial')}."
    )
    return Claim(claim_id="search/front", text=text)


def search_notes(search: Search) -> list[str]:
    """What was learnt, how was searched, and what learns without a network."""
    frontier = search.frontier
    baselines = ", ".join(f"{name} {loss:.3f}" for name, loss in frontier.baselines.items())
    notes = [
        f"Learnt from: {shortened(frontier.subject, 300)}.",
        f"Search: {shortened(frontier.method, 300)}.",
    ]
    return [*notes, f"Without a network: {baselines}."] if baselines else notes


def rung_cells(rung: Learned) -> tuple[str, ...]:
    """One model of the ladder: cost, model, loss, seeds, settings, origin, and whether it is on the front."""
    settings = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in rung.settings.items())
    return (
        with_si(rung.flops_per_sample, "FLOP"),
        shortened(rung.label, 60),
        interval_words(rung.loss),
        str(len(rung.seeds)),
        shortened(settings, 80),
        shortened(rung.warm_start, 60) or "fresh weights",
        "yes" if rung.is_on_front else "-",
    )


def interval_words(loss: Interval) -> str:
    """Such as ``0.312 [0.305, 0.320]``; of one seed the value alone."""
    if loss.count < 2:
        return f"{loss.value:.3f}"
    return f"{loss.value:.3f} [{loss.low:.3f}, {loss.high:.3f}]"


def studied(points: Sequence[PointSummary]) -> list[tuple[PointSummary, Validation]]:
    """Each problem once, with the first of its points."""
    found: dict[str, tuple[PointSummary, Validation]] = {}
    for point in points:
        if point.validation is not None:
            found.setdefault(point.validation.subject_id, (point, point.validation))
    return list(found.values())

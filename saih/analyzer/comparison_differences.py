"""What is not the same on two systems, in words."""

from collections.abc import Sequence

from saih.analyzer.comparison_matching import Match
from saih.domain.system import System, SystemPoint
from saih.domain.trend import RANKS_AXIS

_PRIVATE_FACTS = frozenset({"seed"})
"""Facts of a point by which repeats are meant to differ."""


def system_differences(a: System, b: System) -> tuple[str, ...]:
    """One sentence for each fact, device and precision that differs."""
    said = [
        f"{fact}: {a.name} has {a.facts.get(fact, 'no entry')}, {b.name} has {b.facts.get(fact, 'no entry')}."
        for fact in sorted({*a.facts, *b.facts})
        if a.facts.get(fact) != b.facts.get(fact)
    ]
    if a.kind != b.kind:
        said.append(f"Measured by: {a.name} by {a.kind}, {b.name} by {b.kind}.")
    for title, words in (("Devices", _devices), ("Precisions", _precisions)):
        used = words(a.points), words(b.points)
        if used[0] != used[1] and all(used):
            said.append(f"{title}: {a.name} used {used[0]}, {b.name} used {used[1]}.")
    return tuple(said)


def point_differences(match: Match, a: System, b: System) -> tuple[str, ...]:
    """What differs at one question, beside what differs between the systems as wholes."""
    left, right = match.a[0], match.b[0]
    pairs = [
        ("placement", left.placement_label, right.placement_label),
        ("global batch", str(left.global_batch or ""), str(right.global_batch or "")),
        ("measurements", str(len(match.a)), str(len(match.b))),
        *((axis, left.labels[axis], right.labels[axis]) for axis in _common_axes(left, right)),
        *(
            (part, dict(left.key).get(part, ""), dict(right.key).get(part, ""))
            for part in ("exchange", "execution", "batch_per_rank")
        ),
        *(
            (fact, _values(match.a, fact), _values(match.b, fact))
            for fact in sorted({*left.facts, *right.facts} - _PRIVATE_FACTS)
        ),
    ]
    return tuple(
        f"{name.replace('_', ' ')}: {one or 'no entry'} on {a.name}, {two or 'no entry'} on {b.name}"
        for name, one, two in pairs
        if one != two
    )


def _common_axes(left: SystemPoint, right: SystemPoint) -> list[str]:
    return [axis for axis in left.labels if axis in right.labels and axis != RANKS_AXIS]


def _values(points: Sequence[SystemPoint], fact: str) -> str:
    return " / ".join(sorted({point.facts.get(fact, "no entry") for point in points}))


def _devices(points: Sequence[SystemPoint]) -> str:
    return ", ".join(sorted({point.device for point in points if point.device}))


def _precisions(points: Sequence[SystemPoint]) -> str:
    return ", ".join(sorted({dict(point.key).get("precision", "") for point in points} - {""}))

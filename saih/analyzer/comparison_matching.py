"""Which points of two systems ask the same."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from saih.analyzer.comparison_noise import typical_rate
from saih.domain.comparison import Matching
from saih.domain.system import PLACEMENT_PARTS, Key, System, SystemPoint
from saih.domain.trend import RANKS_AXIS

_MOST_DIFFERING_PARTS = 3
_LEAST_ALIKE = ("workload", "data", "model")
"""Points that differ in one of these are different questions, not near misses."""

Points = tuple[SystemPoint, ...]
Groups = dict[Key, dict[str, list[SystemPoint]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The repeats on both sides that answer one question."""

    key: Key
    a: Points
    b: Points


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """What two systems share, and what each has alone."""

    matched: tuple[Match, ...]
    only_a: Points
    only_b: Points


def match(a: System, b: System, matching: Matching) -> Matches:
    """Points of equal keys, each device with its own kind where both have it, else with the only other one.

    Node to node, each system answers with the placement on which it is fastest.
    """
    groups_a, groups_b = _groups(a, matching), _groups(b, matching)
    matched: list[Match] = []
    for key, by_device in groups_a.items():
        others = groups_b.get(key, {})
        for device_a, device_b in _device_pairs(by_device, others):
            matched.append(Match(key=key, a=tuple(by_device[device_a]), b=tuple(others[device_b])))
    taken_a = {(one.key, one.a[0].device) for one in matched}
    taken_b = {(one.key, one.b[0].device) for one in matched}
    return Matches(matched=tuple(matched), only_a=_rest(groups_a, taken_a), only_b=_rest(groups_b, taken_b))


def near_misses(matches: Matches, name_a: str, name_b: str) -> tuple[str, ...]:
    """Points of one side alone that would match but for a few parts of their key, counted by these parts."""
    found: Counter[str] = Counter()
    for point in {one.key: one for one in matches.only_a}.values():
        others = [_apart(point.key, other.key) for other in matches.only_b]
        near = min((parts for parts in others if parts), key=len, default=None)
        if near is not None:
            found[_words(near, name_a, name_b)] += 1
    return tuple(f"{count} would match but for {words}." for words, count in found.most_common())


def words_of(point: SystemPoint) -> str:
    """A point by its rungs and by how it was run."""
    parts = dict(point.key)
    rungs = ", ".join(f"{axis} {label}" for axis, label in point.labels.items() if axis != RANKS_AXIS)
    run = [f"batch {parts['batch_per_rank']} per rank"] if "batch_per_rank" in parts else []
    run += [parts["precision"]] if "precision" in parts else []
    run += [parts["execution"]] if "execution" in parts and "execution" not in point.labels else []
    run += [f"exchange {parts['exchange']}"] if "exchange" in parts else []
    run += [point.placement_label] if point.placement_label else []
    run += [f"seed {point.facts['seed']}"] if "seed" in point.facts else []
    head = f"{parts['workload']}: " if "workload" in parts else ""
    return f"{head}{rungs}; {', '.join(run)}" if run else f"{head}{rungs}"


def _groups(system: System, matching: Matching) -> Groups:
    groups: Groups = defaultdict(lambda: defaultdict(list))
    if matching is Matching.PLACEMENT:
        for point in system.points:
            groups[point.key][point.device].append(point)
        return groups
    for (key, device), points in _best_placements(system).items():
        groups[key][device] = points
    return groups


def _best_placements(system: System) -> dict[tuple[Key, str], list[SystemPoint]]:
    """For each question that leaves the use of nodes open, the repeats of its fastest placement."""
    by_placement: dict[tuple[Key, str], list[SystemPoint]] = defaultdict(list)
    for point in system.points:
        by_placement[point.key, point.device].append(point)
    best: dict[tuple[Key, str], list[SystemPoint]] = {}
    for (key, _), points in by_placement.items():
        asked = tuple(part for part in key if part[0] not in PLACEMENT_PARTS), ""
        if asked not in best or typical_rate(points) > typical_rate(best[asked]):
            best[asked] = points
    return best


def _device_pairs(a: Mapping[str, object], b: Mapping[str, object]) -> list[tuple[str, str]]:
    common = [device for device in a if device in b]
    rest_a, rest_b = ([device for device in side if device not in common] for side in (a, b))
    pairs = [(device, device) for device in common]
    return [*pairs, (rest_a[0], rest_b[0])] if len(rest_a) == len(rest_b) == 1 else pairs


def _rest(groups: Groups, taken: set[tuple[Key, str]]) -> Points:
    return tuple(
        point
        for key, by_device in groups.items()
        for points in by_device.values()
        for point in points
        if (key, point.device) not in taken
    )


def _apart(a: Key, b: Key) -> dict[str, tuple[str, str]] | None:
    """The parts in which two keys differ; None where they are too many, or ask something else."""
    left, right = dict(a), dict(b)
    parts = {
        name: (left.get(name, "none"), right.get(name, "none"))
        for name in sorted({*left, *right})
        if left.get(name) != right.get(name)
    }
    too_far = any(name in parts for name in _LEAST_ALIKE) or len(parts) > _MOST_DIFFERING_PARTS
    return None if too_far or not parts else parts


def _words(parts: Mapping[str, Sequence[str]], name_a: str, name_b: str) -> str:
    return "; ".join(
        f"{name.replace('_', ' ')} ({a} on {name_a}, {b} on {name_b})" for name, (a, b) in parts.items()
    )

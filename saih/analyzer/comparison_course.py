"""Matched points in a row: those that differ along one axis and in nothing else."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from saih.analyzer.comparison_matching import Match
from saih.domain.comparison import Matching
from saih.domain.system import Key, System

NODES_AXIS = "nodes"
_PLACING_PARTS = frozenset({"nodes", "ranks_per_node", "data_parallel", "exchange"})
"""Parts of a key that grow along an axis of resources, such as ``ranks``."""
Fixed = tuple[Key, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Places of matched points by growing size along one axis."""

    axis: str
    size_label: str
    fixed: str
    places: tuple[int, ...]
    sizes: tuple[float, ...]


def courses(matched: Sequence[Match], a: System, b: System, matching: Matching) -> tuple[Course, ...]:
    """One course for each axis and each setting of everything else that has at least two sizes."""
    found: list[Course] = []
    for axis in _axes(matched, matching):
        for fixed, places in _groups(matched, axis).items():
            by_size = {_size(matched[place], axis): place for place in places}
            if len(by_size) > 1 and len(by_size) == len(places):
                sizes = tuple(sorted(by_size))
                label = a.size_labels.get(axis) or b.size_labels.get(axis) or axis
                found.append(
                    Course(
                        axis=axis,
                        size_label=label,
                        fixed=_words(matched[places[0]], axis, fixed),
                        places=tuple(by_size[size] for size in sizes),
                        sizes=sizes,
                    )
                )
    return tuple(found)


def varied_sizes(matched: Sequence[Match], matching: Matching) -> dict[str, list[float]]:
    """Sizes of all points along each axis that all of them have."""
    return {axis: [_size(match, axis) for match in matched] for axis in _axes(matched, matching)}


def sizes_of(match: Match, matching: Matching) -> dict[str, float]:
    """Axis -> size of this question: node to node the ranks are no axis, but the nodes are."""
    point = match.a[0]
    sizes = {axis: size for axis, size in point.axis_sizes.items() if size > 0}
    if matching is Matching.NODES:
        sizes.pop("ranks", None)
        if point.num_nodes:
            sizes[NODES_AXIS] = float(point.num_nodes)
    return sizes


def _axes(matched: Sequence[Match], matching: Matching) -> list[str]:
    every = [sizes_of(match, matching) for match in matched]
    return [axis for axis in (every[0] if every else {}) if all(axis in sizes for sizes in every)]


def _size(match: Match, axis: str) -> float:
    point = match.a[0]
    return float(point.num_nodes or 0) if axis == NODES_AXIS else point.axis_sizes[axis]


def _groups(matched: Sequence[Match], axis: str) -> dict[Fixed, list[int]]:
    """Places by everything else. Along resources the batch of each rank stays, or else that of all ranks."""
    if any(name == axis for match in matched for name, _ in match.key) and axis != NODES_AXIS:
        return _by(matched, frozenset({axis}), range(len(matched)), "")
    parts = _PLACING_PARTS | {axis}
    weak = _by(matched, parts, range(len(matched)), "weak")
    kept = {key: places for key, places in weak.items() if len(places) > 1}
    rest = [places[0] for places in weak.values() if len(places) == 1]
    return {**kept, **_by(matched, parts | {"batch_per_rank"}, rest, "strong")}


def _by(
    matched: Sequence[Match], left_out: frozenset[str], places: Sequence[int] | range, scaling: str
) -> dict[Fixed, list[int]]:
    groups: dict[Fixed, list[int]] = defaultdict(list)
    for place in places:
        match = matched[place]
        key = tuple(part for part in match.key if part[0] not in left_out)
        batch = f"{scaling} {match.a[0].global_batch}" if scaling == "strong" else scaling
        groups[key, match.a[0].device, match.b[0].device, batch].append(place)
    return groups


def _words(match: Match, axis: str, fixed: Fixed) -> str:
    """What the course holds fixed."""
    point = match.a[0]
    parts = dict(fixed[0])
    said = [label for name, label in point.labels.items() if name not in (axis, "ranks")]
    said += [parts["precision"]] if "precision" in parts else []
    said += [parts["execution"]] if "execution" in parts and "execution" not in point.labels else []
    if axis in dict(match.key):
        said += [point.placement_label] if point.placement_label else []
    elif fixed[3].startswith("strong") and point.global_batch is not None:
        said += [f"global batch {point.global_batch}"]
    elif "batch_per_rank" in parts:
        said += [f"batch {parts['batch_per_rank']} per rank"]
    return ", ".join(said)

"""Labels of rungs without what all rungs of the axis share, so that the rest is short enough to show."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from saih.domain.comparison import Pair
from saih.domain.trend import Analysis

_SEPARATOR = ", "


def told_apart(analysis: Analysis) -> tuple[Analysis, tuple[str, ...]]:
    """The analysis with the shortest labels that still differ, and what was left out of all of them.

    ``16^3 x 4, 32 samples`` and ``32^3 x 4, 32 samples`` become ``16^3 x 4`` and ``32^3 x 4``, and
    ``32 samples`` is said once.
    """
    # What was dropped may be no problem at all, and then shares nothing with the others.
    known = [point.labels for point in analysis.points] + [point.labels for point in analysis.failed]
    shared = {axis: _shared_parts(found) for axis, found in _by_axis(known).items()}
    shorter = replace(
        analysis,
        points=tuple(replace(point, labels=_without(point.labels, shared)) for point in analysis.points),
        failed=tuple(replace(point, labels=_without(point.labels, shared)) for point in analysis.failed),
        dropped=tuple(replace(point, labels=_without(point.labels, shared)) for point in analysis.dropped),
    )
    return shorter, tuple(part for axis in sorted(shared) for part in shared[axis])


def matched_apart(pair: Pair) -> tuple[Pair, tuple[str, ...]]:
    """The pair with the shortest labels that tell its matched points apart, and what all share.

    An axis that is the same at every point is left out where another one differs.
    """
    labels = _by_axis([point.labels for point in pair.matched])
    constant = {axis for axis, found in labels.items() if len(set(found)) == 1}
    if constant == set(labels):
        return pair, ()
    shared = {axis: _shared_parts(found) for axis, found in labels.items()}
    matched = tuple(
        replace(
            point,
            labels={
                axis: label for axis, label in _without(point.labels, shared).items() if axis not in constant
            },
        )
        for point in pair.matched
    )
    said = [part for axis in sorted(shared) for part in shared[axis]]
    said += [labels[axis][0] for axis in sorted(constant)]
    return replace(pair, matched=matched), tuple(said)


def labels_apart(
    labels: Sequence[Mapping[str, str]], known: Sequence[Mapping[str, str]]
) -> tuple[tuple[Mapping[str, str], ...], tuple[str, ...]]:
    """``labels`` as short as still tells ``known`` ones apart, and what was left out of all of them."""
    shared = {axis: _shared_parts(found) for axis, found in _by_axis(known).items()}
    said = tuple(part for axis in sorted(shared) for part in shared[axis])
    return tuple(_without(found, shared) for found in labels), said


def _by_axis(known: Iterable[Mapping[str, str]]) -> dict[str, list[str]]:
    labels: dict[str, list[str]] = {}
    for found in known:
        for axis, label in found.items():
            labels.setdefault(axis, []).append(label)
    return labels


def _shared_parts(labels: Sequence[str]) -> tuple[str, ...]:
    """Parts of every label that can go without making two labels equal, or one empty."""
    distinct = list(dict.fromkeys(labels))
    if len(distinct) < 2:
        return ()
    shared = tuple(
        part
        for part in distinct[0].split(_SEPARATOR)
        if all(part in label.split(_SEPARATOR) for label in distinct)
    )
    remaining = {_drop(label, shared) for label in distinct}
    return shared if len(remaining) == len(distinct) and "" not in remaining else ()


def _without(labels: Mapping[str, str], shared: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {axis: _drop(label, shared.get(axis, ())) or label for axis, label in labels.items()}


def _drop(label: str, parts: Sequence[str]) -> str:
    return _SEPARATOR.join(part for part in label.split(_SEPARATOR) if part not in parts)

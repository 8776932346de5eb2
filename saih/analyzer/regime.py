"""Whether the points of a trend were measured under the same settings, as far as records tell."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from saih.domain.ceiling import CeilingKind, Ceilings
from saih.domain.trend import PointSummary

_IN_CACHE = 0.6
"""Part of the best bandwidth below which a working set counts as beyond the caches."""
FOUND_SETTINGS = "settings found"
"""Of an execution that was searched."""
_HARMLESS = ("nodes", "working set in the caches", FOUND_SETTINGS)
"""Settings that must change as the problem or the number of ranks grows, or that a search chose for it."""


def changes_of_setting(
    points: Sequence[PointSummary], ceilings: Ceilings | None
) -> tuple[tuple[str, int, str, str], ...]:
    """(setting, place, value before, value after) for each change between neighbours of growing size."""
    settings = [settings_of(point, ceilings) for point in points]
    return tuple(
        (name, place, before[name], after[name])
        for place, (before, after) in enumerate(pairwise(settings))
        for name in before
        if name in after and before[name] != after[name]
    )


def is_harmless(name: str) -> bool:
    """Whether a change of this setting belongs to growth, so that it bounds a law without refuting it."""
    return name in _HARMLESS


def settings_of(point: PointSummary, ceilings: Ceilings | None) -> Mapping[str, str]:
    """The settings of one point that may change along an axis, in words; unknown ones are absent."""
    placement = point.point.placement
    found = {"nodes": "one node" if placement.nodes == 1 else "several nodes", **point.settings}
    fits = _fits_caches(point, ceilings)
    if fits is not None:
        found["working set in the caches"] = "yes" if fits else "no"
    return found


def _fits_caches(point: PointSummary, ceilings: Ceilings | None) -> bool | None:
    """Whether the tensors of a rank are no larger than the working sets that caches serve."""
    curve = ceilings.curve(CeilingKind.MEMORY) if ceilings is not None else None
    if curve is None or point.tensor_bytes is None or len(curve.sizes) < 2:
        return None
    best = curve.best.value
    if curve.rates[-1].value >= _IN_CACHE * best:
        return None
    served = [
        size for size, rate in zip(curve.sizes, curve.rates, strict=True) if rate.value >= _IN_CACHE * best
    ]
    return point.tensor_bytes <= max(served)

"""Whether a machine still does what its ceilings say: a few sizes measured again."""

from collections.abc import Mapping
from dataclasses import dataclass

from saih.domain.ceiling import TIME_KINDS, Ceiling, CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.quantity import interval_with_si

TOLERANCE = 1.2
"""A factor that nobody would plan anew for: clocks and other tenants move ceilings by as much every day."""
_NOT_ANCHORED = frozenset({CeilingKind.JITTER, CeilingKind.STORAGE_COLD})
"""They tell of everybody else on the node and on the storage, and move without the machine changing."""
Anchors = Mapping[tuple[str, str], frozenset[float]]
"""Sizes by name and precision of the curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One size of one curve, then and now."""

    name: str
    precision: str
    size: float
    size_unit: str
    unit: str
    then: Interval
    now: Interval
    ratio: Interval
    """Now over then; its ends are those of the intervals at their furthest apart."""

    @property
    def statement(self) -> str:
        """The drift in words."""
        what = f"{self.name} {self.precision}".strip().replace("_", " ")
        unit = self.unit.replace("bytes", "B")
        return (
            f"{what} at {self.size:.6g} {self.size_unit}: {interval_with_si(self.then, unit)} then, "
            f"{interval_with_si(self.now, unit)} now, a factor of {self.ratio.value:.2f} "
            f"[{self.ratio.low:.2f} to {self.ratio.high:.2f}]"
        )


def anchors(ceilings: Ceilings) -> Anchors:
    """The sizes to measure again: the best and the last of the first curve of each kind and precision."""
    chosen: dict[tuple[str, str], frozenset[float]] = {}
    seen: set[tuple[CeilingKind, str]] = set()
    for curve in ceilings.curves:
        if curve.kind in _NOT_ANCHORED or (curve.kind, curve.precision) in seen:
            continue
        seen.add((curve.kind, curve.precision))
        choose = min if curve.kind in TIME_KINDS else max
        _, best = choose(zip((rate.value for rate in curve.rates), curve.sizes, strict=True))
        chosen[curve.name, curve.precision] = frozenset({best, curve.sizes[-1]})
    return chosen


def drifts(then: Ceilings, now: Ceilings, tolerance: float = TOLERANCE) -> tuple[Drift, ...]:
    """Sizes of both whose ratio lies, with its whole interval, beyond the tolerated factor."""
    known = {(curve.name, curve.precision): curve for curve in then.curves}
    compared = (
        _drift(known[curve.name, curve.precision], curve, place)
        for curve in now.curves
        if (curve.name, curve.precision) in known and curve.kind not in _NOT_ANCHORED
        for place, size in enumerate(curve.sizes)
        if size in known[curve.name, curve.precision].sizes
    )
    return tuple(
        drift
        for drift in compared
        if drift is not None and (drift.ratio.high < 1 / tolerance or drift.ratio.low > tolerance)
    )


def _drift(old: Ceiling, new: Ceiling, place: int) -> Drift | None:
    then, now = old.rates[old.sizes.index(new.sizes[place])], new.rates[place]
    if then.low <= 0 or now.low <= 0:
        return None
    ratio = Interval(
        low=now.low / then.high,
        value=now.value / then.value,
        high=now.high / then.low,
        level=min(then.level, now.level),
        count=min(then.count, now.count),
    )
    return Drift(
        name=new.name,
        precision=new.precision,
        size=new.sizes[place],
        size_unit=new.size_unit,
        unit=new.unit,
        then=then,
        now=now,
        ratio=ratio,
    )

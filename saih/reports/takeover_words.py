"""Sentences on what happens beyond the measured points: which part takes over, and what other methods say."""

from collections.abc import Sequence

from saih.domain.claim import Claim
from saih.domain.crossing import Crossing
from saih.domain.peer import PeerForecast
from saih.domain.quantity import counted, duration, in_seconds, interval_with_si, percent
from saih.domain.surface import SurfaceFinding
from saih.domain.trend import RANKS_AXIS, Analysis, Trend
from saih.reports.label import shortened
from saih.reports.words import NAME_WIDTH, law_of, line_name

_SAME_ERROR = 0.9
"""A peer must err by less than this part of our error to be called better: few points tell no more."""


def takeover_claims(analysis: Analysis) -> tuple[Claim, ...]:
    """The surest crossing of each axis, the first surface, and a method that did better than ours."""
    claims = [_crossing(trend, crossing, analysis) for trend, crossing in _surest(analysis.trends)]
    claims += [_surface(surface, number) for number, surface in enumerate(analysis.surfaces[:1], start=1)]
    better = _better(analysis.trends)
    return (*claims, *((better,) if better is not None else ()))


def crossings_of(analysis: Analysis) -> list[tuple[Trend, Crossing]]:
    """Every crossing of every trend."""
    return [(trend, crossing) for trend in analysis.trends for crossing in trend.crossings]


def place_words(trend: Trend, crossing: Crossing) -> str:
    """The size with its interval; what is open is said."""
    unit = " ranks" if trend.axis == RANKS_AXIS else ""
    said = interval_with_si(crossing.size, "")
    opened = [
        word
        for word, is_open in (("below", crossing.is_open_below), ("above", crossing.is_open_above))
        if is_open
    ]
    return f"{said}{unit}" + (f", open {' and '.join(opened)}" if opened else "")


def best_peer(trend: Trend) -> PeerForecast | None:
    """The plain method with the smallest error in forward chaining; None where none could be judged."""
    judged = [peer for peer in trend.peers if peer.chained_error is not None]
    return min(judged, key=lambda peer: peer.chained_error or 0.0, default=None)


def is_better(peer: PeerForecast, trend: Trend) -> bool:
    """Whether the peer foresaw larger points surely better than the law of whole steps."""
    own, others = trend.chained_error, peer.chained_error
    return own is not None and others is not None and others < _SAME_ERROR * own


def _surest(trends: Sequence[Trend]) -> list[tuple[Trend, Crossing]]:
    """For each axis the closed crossing with the narrowest interval."""
    found: dict[str, tuple[Trend, Crossing]] = {}
    for trend in trends:
        for crossing in trend.crossings:
            if crossing.is_open_below or crossing.is_open_above:
                continue
            known = found.get(trend.axis)
            if known is None or _width(crossing) < _width(known[1]):
                found[trend.axis] = (trend, crossing)
    return [found[axis] for axis in sorted(found)]


def _width(crossing: Crossing) -> float:
    return crossing.size.high / crossing.size.low


def _crossing(trend: Trend, crossing: Crossing, analysis: Analysis) -> Claim:
    axis = shortened(trend.axis, NAME_WIDTH)
    name = shortened(line_name(trend, analysis.points), NAME_WIDTH)
    text = f"Along the {axis} axis (at {name}): {crossing.statement[0].lower()}{crossing.statement[1:]}"
    return Claim(claim_id=f"crossing/{axis}", text=text, record_ids=trend.record_ids, fit=law_of(trend))


def surface_words(surface: SurfaceFinding) -> str:
    """What the step follows over several axes, and whether the largest point was foreseen."""
    axes = " x ".join(shortened(axis, NAME_WIDTH) for axis in surface.axes)
    text = (
        f"Over {axes} ({counted(surface.num_points, 'point')}) one law for each part of the step fits within "
        f"{percent(surface.typical_error)} at a typical point"
    )
    if surface.corner_expected_ns is None:
        return f"{text}; the largest point could not be held out: {surface.corner_refusal}"
    inside = "inside" if surface.is_corner_held else "OUTSIDE"
    return (
        f"{text}; the largest point, held out, took {duration(surface.corner_measured_ns)}, {inside} the "
        f"expected {duration(surface.corner_expected_ns)} ({percent(surface.corner_expected_ns.level)})."
    )


def _surface(surface: SurfaceFinding, number: int) -> Claim:
    return Claim(
        claim_id=f"surface/{number}",
        text=surface_words(surface),
        record_ids=(surface.corner_record_id,),
        fit="; ".join(f"{part} = {law}" for part, law in surface.laws.items()),
    )


def peer_words(trend: Trend, peer: PeerForecast) -> str:
    """The peer beside ours, in forward chaining and at the end of the curve."""
    ours = trend.step_curve[-1].interval.value if trend.step_curve else None
    said = f"{in_seconds(peer.value_ns)} at the end of the curve"
    return said if ours is None else f"{said}, ours {in_seconds(ours)}"


def _better(trends: Sequence[Trend]) -> Claim | None:
    """Where plain methods foresaw larger points better than our law of whole steps."""
    judged = [(trend, peer) for trend in trends if (peer := best_peer(trend)) is not None]
    judged = [(trend, peer) for trend, peer in judged if trend.chained_error is not None]
    worse = [(trend, peer) for trend, peer in judged if is_better(peer, trend)]
    if not worse:
        return None
    trend, peer = max(worse, key=lambda one: (one[0].chained_error or 0.0) - (one[1].chained_error or 0.0))
    text = (
        f"On {len(worse)} of {counted(len(judged), 'trend')} a plain method foresaw larger points better "
        f"than our law of whole steps in forward chaining; most along {shortened(trend.axis, NAME_WIDTH)}, "
        f"where the {peer.name} erred by {percent(peer.chained_error or 0.0)} and ours by "
        f"{percent(trend.chained_error or 0.0)}."
    )
    record_ids = tuple(dict.fromkeys(one for each, _ in worse for one in each.record_ids))
    return Claim(claim_id="peer-better", text=text, record_ids=record_ids, fit=law_of(trend))

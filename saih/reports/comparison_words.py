"""A comparison in words: every sentence is a claim that names the records of both sides."""

from collections.abc import Iterable

from saih.domain.claim import Claim
from saih.domain.comparison import (
    Comparison,
    Crossing,
    ExponentPair,
    Matching,
    Pair,
    RatioCurve,
    View,
    ViewRatio,
)
from saih.domain.interval import Interval
from saih.domain.quantity import counted, factor, percent, with_si
from saih.domain.system import System
from saih.reports.label import shortened

NAME = 60
_MOST_CURVES = 3
"""Sentences on crossings along one axis; the tables have all."""
_FASTER = {True: "faster", False: "slower"}


def comparison_claims(comparison: Comparison) -> tuple[Claim, ...]:
    """What a reader should take away: the means of each pair, its views, crossings, growth and noise."""
    return tuple(claim for pair in comparison.pairs for claim in pair_claims(pair))


def pair_claims(pair: Pair) -> tuple[Claim, ...]:
    """The claims of one pair, the most important one first."""
    return (
        _mean(pair),
        *_views(pair),
        *_crossings(pair),
        *_exponents(pair),
        *_noise(pair),
    )


def verdict(pair: Pair) -> str:
    """The comparison of two in one sentence."""
    a, b = names(pair)
    mean = pair.geometric_mean
    if mean is None:
        return (
            f"Nothing matched: no point was measured on both {a} and {b}, so their speed cannot be compared."
        )
    word = f"{_FASTER[mean.value > 1]} than {b}" if pair.is_different else f"not told apart from {b}"
    basis = f"geometric mean of {counted(len(pair.matched), 'matched point')}, {percent(mean.level)} interval"
    return f"{a} is {word}: {factor(mean)} the speed ({basis}, noise from run to run included)."


def names(pair: Pair) -> tuple[str, str]:
    """Both names, short enough for a sentence."""
    return shortened(pair.name_a, NAME), shortened(pair.name_b, NAME)


def matching_words(matching: Matching) -> str:
    """Which points are held against each other."""
    if matching is Matching.NODES:
        return (
            "Node to node: workload, problem, precision and number of nodes are the same, and each system "
            "uses its nodes as it is fastest"
        )
    return (
        "Matched points ask the same: workload, problem, batch, precision, execution, exchange, shape of the "
        "placement"
    )


def exponent_words(exponent: Interval) -> str:
    """An exponent with its bounds, such as ``1.02 [1.00, 1.04]``."""
    return f"{exponent.value:.2f} [{exponent.low:.2f}, {exponent.high:.2f}]"


def growth_words(pair: Pair, curve: RatioCurve, exponents: ExponentPair) -> str:
    """How both grow along the axis of a curve."""
    a, b = names(pair)
    grows = exponents.a.value < 0 and exponents.b.value < 0
    quantity = "time per sample" if grows else "rate"
    of_a, of_b = (exponent_words(negated(one) if grows else one) for one in (exponents.a, exponents.b))
    size = curve.size_label or curve.axis
    verdict_words = "different" if exponents.is_different else "not told apart"
    setting = f" ({shortened(curve.fixed, 2 * NAME)})" if curve.fixed else ""
    return (
        f"Along {curve.axis}{setting}, the {quantity} grows as size^{of_a} on {a} and as size^{of_b} on {b}: "
        f"{verdict_words} (size: {shortened(size, NAME)}, {len(curve.points)} sizes)."
    )


def crossing_words(pair: Pair, curve: RatioCurve) -> str:
    """Whether and where one passes the other, or why that cannot be told."""
    if curve.crossings:
        return "; ".join(_crossing(curve, one) for one in curve.crossings)
    sure = [point for point in curve.points if point.is_different]
    if not sure:
        return "no crossing can be told, since at no size the two surely differ"
    faster = names(pair)[sure[0].ratio.value < 1]
    if len(sure) == len(curve.points):
        ends = " and ".join(shortened(point.label, NAME) for point in (curve.points[0], curve.points[-1]))
        return f"no crossing between {ends}: {faster} is surely faster at all {len(sure)} sizes"
    unsure = len(curve.points) - len(sure)
    return (
        f"no crossing can be told: {faster} is surely faster at {len(sure)} of {len(curve.points)} sizes, "
        f"and at the other {unsure} the difference is within the noise"
    )


def _crossing(curve: RatioCurve, one: Crossing) -> str:
    below, above = (shortened(name, NAME) for name in (one.faster_below, one.faster_above))
    from_label, to_label = (shortened(label, NAME) for label in (one.below_label, one.above_label))
    low, value, high = (with_si(size, "") for size in (one.size.low, one.size.value, one.size.high))
    return (
        f"{above} passes {below} at {value} {shortened(curve.size_label, NAME)}, crossing between {low} and "
        f"{high} ({percent(one.size.level)}); {below} is surely faster at {from_label}, {above} at {to_label}"
    )


def negated(interval: Interval) -> Interval:
    """The interval of the opposite number."""
    return Interval(
        low=-interval.high,
        value=-interval.value,
        high=-interval.low,
        level=interval.level,
        count=interval.count,
    )


def _mean(pair: Pair) -> Claim:
    return Claim(claim_id=_id(pair, "mean"), text=verdict(pair), record_ids=_records(pair))


def _views(pair: Pair) -> Iterable[Claim]:
    """The other views in one sentence, where they say something else than the speed of the whole."""
    mean = pair.geometric_mean
    told = [view for view in pair.views if view.ratio is not None and view.view is not View.SYSTEM]
    other = [view for view in told if view.ratio != mean]
    if not other:
        return
    a, b = names(pair)
    listed = ", ".join(
        f"{_view_words(view)} {factor(view.ratio)}" for view in other if view.ratio is not None
    )
    same = [_view_words(view) for view in told if view.ratio == mean]
    more = f"; {', '.join(same)} as for the whole" if same else ""
    yield Claim(claim_id=_id(pair, "views"), text=f"{a} over {b}: {listed}{more}.", record_ids=_records(pair))


def _view_words(view: ViewRatio) -> str:
    return str(view.view)


def _crossings(pair: Pair) -> Iterable[Claim]:
    """For each axis the curves with a crossing, else that there is none; one where nothing differs."""
    if pair.curves and not any(point.is_different for curve in pair.curves for point in curve.points):
        axes = " or ".join(shortened(axis, NAME) for axis in _by_axis(pair))
        yield Claim(
            claim_id=_id(pair, "crossing/none"),
            text=f"No crossing can be told along {axes}, since at no size the two surely differ.",
            record_ids=_records(pair),
        )
        return
    for axis, curves in _by_axis(pair).items():
        crossed = [curve for curve in curves if curve.crossings]
        for curve in crossed[:_MOST_CURVES] or curves[:1]:
            setting = f" ({shortened(curve.fixed, 2 * NAME)})" if curve.fixed else ""
            left = len(curves) - len(crossed[:_MOST_CURVES] or curves[:1])
            more = ""
            if left and not crossed:
                more = f"; nor is one told in {counted(left, 'other setting')} along {axis}"
            yield Claim(
                claim_id=_id(pair, f"crossing/{axis}/{pair.curves.index(curve) + 1}"),
                text=f"Along {axis}{setting}: {crossing_words(pair, curve)}{more}.",
                record_ids=_curve_records(pair, curve),
                fit=f"A: {curve.law_a}; B: {curve.law_b}" if curve.law_a else "",
            )


def _exponents(pair: Pair) -> Iterable[Claim]:
    """For each axis the longest curve, one that differs first, and in how many settings growth differs."""
    for axis, curves in _by_axis(pair).items():
        told = [(curve, curve.exponents) for curve in curves if curve.exponents is not None]
        told.sort(key=lambda one: (not one[1].is_different, -len(one[0].points)))
        for curve, exponents in told[:1]:
            different = sum(one.is_different for _, one in told)
            more = f" Different in {different} of {counted(len(told), 'setting')}." if len(told) > 1 else ""
            yield Claim(
                claim_id=_id(pair, f"exponent/{axis}/{pair.curves.index(curve) + 1}"),
                text=f"{growth_words(pair, curve, exponents)}{more}",
                record_ids=_curve_records(pair, curve),
                fit="rate ~ size^exponent, least squares in log-log",
            )


def _by_axis(pair: Pair) -> dict[str, list[RatioCurve]]:
    found: dict[str, list[RatioCurve]] = {}
    for curve in pair.curves:
        found.setdefault(curve.axis, []).append(curve)
    return found


def _noise(pair: Pair) -> Iterable[Claim]:
    if pair.matched:
        yield Claim(
            claim_id=_id(pair, "noise"),
            text=f"Two runs of one point differ by a standard deviation of {pair.noise.source}.",
            record_ids=_records(pair),
        )


def _id(pair: Pair, what: str) -> str:
    return f"{what} of {pair.name_a} over {pair.name_b}"


def _records(pair: Pair) -> tuple[str, ...]:
    """Records of both sides, with the names of their systems: one point has one id on every system."""
    sides = (
        (name, record)
        for point in pair.matched
        for name, records in ((pair.name_a, point.records_a), (pair.name_b, point.records_b))
        for record in records
    )
    return tuple(f"{record}@{name}" for name, record in sides)


def _curve_records(pair: Pair, curve: RatioCurve) -> tuple[str, ...]:
    return tuple(
        f"{record}@{name}"
        for point in curve.points
        for name, records in ((pair.name_a, point.records_a), (pair.name_b, point.records_b))
        for record in records
    )


def caution_words(systems: Iterable[System]) -> tuple[str, ...]:
    """What to know of systems before comparing: each caution once, with the names that it holds for."""
    names_of: dict[str, list[str]] = {}
    for system in systems:
        for text in dict.fromkeys(system.cautions):
            names_of.setdefault(text, []).append(shortened(system.name, NAME))
    return tuple(f"{', '.join(names)}: {text}" for text, names in names_of.items())

"""The tables of a comparison: views, exponents, matched points, and each system against each."""

from collections.abc import Sequence

from saih.domain.comparison import Comparison, MatchedPoint, Pair, RatioCurve, View
from saih.domain.interval import Interval
from saih.domain.quantity import factor, interval_with_si, share, with_si
from saih.reports.comparison_words import exponent_words, names, negated
from saih.reports.document import Column, Table
from saih.reports.label import shortened
from saih.reports.ratio_figure import matched_words

_SHORT = 24
_POINT = 100


def verdict_word(ratio: Interval, *, is_different: bool) -> str:
    """``faster``, ``slower`` or ``not told apart``, of the first system."""
    return ("faster" if ratio.value > 1 else "slower") if is_different else "not told apart"


def matrix_table(comparison: Comparison) -> Table:
    """The mean speed of each pair."""
    rows = tuple(
        (
            shortened(pair.name_a, 40),
            shortened(pair.name_b, 40),
            factor(mean) if mean is not None else "nothing matched",
            verdict_word(mean, is_different=pair.is_different) if mean is not None else "",
            str(len(pair.matched)),
        )
        for pair in comparison.pairs
        for mean in (pair.geometric_mean,)
    )
    columns = (
        Column(title="A", weight=2),
        Column(title="B", weight=2),
        Column(title="speed of A over B [95 % interval]", weight=2, side="right"),
        Column(title="A is"),
        Column(title="matched points", weight=0.8, side="right"),
    )
    return Table(columns=columns, rows=rows, alt="Mean speed of each system over each other")


def views_table(pair: Pair) -> Table:
    """The mean ratio in every view, or why there is none."""
    name_a, name_b = names(pair)
    words = {View.SYSTEM: "samples/s", View.JOULE: "samples per joule", View.SHARE: "share of measured peak"}
    rows = tuple(
        (
            str(view.view),
            words.get(
                view.view, f"samples/s {view.view}" if view.view is not View.PRICE else "samples per money"
            ),
            factor(view.ratio) if view.ratio is not None else "absent",
            verdict_word(view.ratio, is_different=view.is_different) if view.ratio is not None else "",
            str(view.num_points),
            shortened(view.remark, 160),
        )
        for view in pair.views
    )
    columns = (
        Column(title="view", weight=1.1),
        Column(title="what is compared", weight=1.5),
        Column(
            title=f"{shortened(name_a, _SHORT)} over {shortened(name_b, _SHORT)}", weight=1.9, side="right"
        ),
        Column(title=f"{shortened(name_a, _SHORT)} is", weight=1.1),
        Column(title="points", weight=0.6, side="right"),
        Column(title="remark", weight=2.6),
    )
    return Table(columns=columns, rows=rows, alt="Mean ratio in every view")


def exponents_table(pair: Pair) -> Table | None:
    """How the time per sample of both grows along each curve, and whether alike; None without exponents."""
    name_a, name_b = (shortened(name, _SHORT) for name in names(pair))
    rows = tuple(
        (
            curve.axis,
            shortened(curve.fixed, _POINT),
            str(len(curve.points)),
            exponent_words(negated(exponents.a)),
            exponent_words(negated(exponents.b)),
            exponent_words(negated(exponents.difference)),
            "different" if exponents.is_different else "not told apart",
        )
        for curve in pair.curves
        for exponents in (curve.exponents,)
        if exponents is not None
    )
    columns = (
        Column(title="axis", weight=0.7),
        Column(title="fixed", weight=2.4),
        Column(title="sizes", weight=0.6, side="right"),
        Column(title=f"exponent of {name_a}", weight=1.7, side="right"),
        Column(title=f"exponent of {name_b}", weight=1.7, side="right"),
        Column(title="difference", weight=1.7, side="right"),
        Column(title="", weight=1.2),
    )
    return (
        Table(columns=columns, rows=rows, alt="Exponents of the time per sample over size") if rows else None
    )


def crossings_table(pair: Pair) -> Table | None:
    """Every crossing of the pair; None without one."""
    rows = tuple(
        _crossing_row(curve, index) for curve in pair.curves for index in range(len(curve.crossings))
    )
    columns = (
        Column(title="axis", weight=0.7),
        Column(title="fixed", weight=2.4),
        Column(title="crossing at", weight=1.0, side="right"),
        Column(title="95 % interval", weight=1.6, side="right"),
        Column(title="faster below", weight=1.4),
        Column(title="faster above", weight=1.4),
    )
    return Table(columns=columns, rows=rows, alt="Where one system passes the other") if rows else None


def points_table(pair: Pair) -> Table:
    """Rates, shares and ratio of each matched point."""
    name_a, name_b = (shortened(name, _SHORT) for name in names(pair))
    columns = (
        Column(title="point", weight=2.0),
        Column(title=f"samples/s, {name_a}", weight=2.0, side="right"),
        Column(title=f"samples/s, {name_b}", weight=2.0, side="right"),
        Column(title="steps of each", weight=0.9, side="right"),
        Column(title="speed ratio [95 %]", weight=1.9, side="right"),
        Column(title="verdict", weight=1.1),
        Column(title=f"share of peak, {name_a}", weight=1.7, side="right"),
        Column(title=f"share of peak, {name_b}", weight=1.7, side="right"),
    )
    return Table(columns=columns, rows=tuple(_row(point) for point in pair.matched), alt="Matched points")


def _crossing_row(curve: RatioCurve, index: int) -> tuple[str, ...]:
    one = curve.crossings[index]
    return (
        curve.axis,
        shortened(curve.fixed, _POINT),
        with_si(one.size.value, ""),
        f"{with_si(one.size.low, '')} to {with_si(one.size.high, '')}",
        shortened(one.faster_below, 40),
        shortened(one.faster_above, 40),
    )


def _row(point: MatchedPoint) -> tuple[str, ...]:
    shares: Sequence[Interval | None] = (point.share_a, point.share_b)
    return (
        shortened(matched_words(point), _POINT),
        interval_with_si(point.rate_a, ""),
        interval_with_si(point.rate_b, ""),
        f"{point.rate_a.count}, {point.rate_b.count}",
        factor(point.speed_ratio),
        verdict_word(point.speed_ratio, is_different=point.is_different),
        *(share(one) if one is not None else "no ceiling" for one in shares),
    )

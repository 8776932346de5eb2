"""What is said of a foreign series: its points, laws, peers and findings."""

from collections.abc import Callable, Sequence

from saih.domain.interval import Interval
from saih.domain.quantity import amount, counted, duration, percent, with_si
from saih.domain.series import SECONDS_PER_UNIT, Series
from saih.domain.series_trend import SeriesPoint, SeriesTrend
from saih.domain.trend import Check
from saih.reports.label import shortened

_MAX_UNIT = 24
MARKS = {True: "ok", False: "FAILED", None: "undecided"}


def series_title(series: Series) -> str:
    """Its name, short enough for a heading."""
    return shortened(series.name, 90) or "unnamed series"


def unit_of(series: Series) -> str:
    """In which its numbers are shown; empty where the file tells none."""
    return "s" if series.is_time else shortened(series.unit, _MAX_UNIT)


def factor_of(series: Series) -> float:
    """What its numbers are multiplied by to be in ``unit_of``."""
    return SECONDS_PER_UNIT.get(series.unit, 1.0)


def words_of(series: Series) -> Callable[[float], str]:
    """How a value of the series is written."""
    unit, factor = unit_of(series), factor_of(series)
    if series.is_time:
        return lambda value: with_si(value * factor, unit)
    return lambda value: f"{value:.4g} {unit}".rstrip()


def interval_words(series: Series, interval: Interval) -> str:
    """A value with its bounds."""
    if series.is_time:
        return duration(interval.scaled(factor_of(series) * 1e9))
    return f"{interval.value:.4g} [{interval.low:.4g}, {interval.high:.4g}] {unit_of(series)}".rstrip()


def point_words(series: Series, point: SeriesPoint) -> str:
    """The value of a point; without an interval it says so."""
    if point.interval is None:
        return f"{words_of(series)(point.value)} (no interval: {counted(point.num_runs, 'run')})"
    return interval_words(series, point.interval)


def law_words(trend: SeriesTrend) -> str:
    """The law of the whole, or why there is none."""
    if trend.fit is None:
        return f"no law ({counted(len(trend.points), 'usable size')})"
    return f"{trend.fit.text}; points lie {percent(trend.fit.residual)} around it"


def expected_words(trend: SeriesTrend) -> str:
    """What is expected at the end of the curve; empty without a curve."""
    if not trend.curve:
        return ""
    end = trend.curve[-1]
    return (
        f"at {shortened(trend.series.axis, 30)} {amount(end.size)} (extrapolated) "
        f"{interval_words(trend.series, end.interval)} is expected ({percent(end.interval.level)})"
    )


def peer_words(trend: SeriesTrend) -> str:
    """What plain methods say there, and whether one of them foresaw better so far; empty without any."""
    told = [
        f"{peer.name} {words_of(trend.series)(peer.value_ns)}"
        + ("" if peer.chained_error is None else f" (chained error {percent(peer.chained_error)})")
        for peer in trend.peers
    ]
    if not told:
        return ""
    errors = [peer.chained_error for peer in trend.peers if peer.chained_error is not None]
    own = trend.chained_error
    held = "" if own is None else f"; our law of the whole {percent(own)}"
    better = (
        "; a plain method foresaw better so far" if own is not None and min(errors, default=own) < own else ""
    )
    return f"beside it at {amount(trend.peers[0].size)}: {'; '.join(told)}{held}{better}"


def failed_first(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Checks that did not pass, failed ones first."""
    return tuple(
        sorted((one for one in checks if one.passed is not True), key=lambda one: one.passed is None)
    )

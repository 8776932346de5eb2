"""The ratio of two systems at one question, in every view that it has, with the noise from run to run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import special

from saih.analyzer.comparison_matching import Match
from saih.analyzer.comparison_noise import MeanOfRepeats, mean_of_repeats
from saih.domain.comparison import Noise, View
from saih.domain.interval import Interval
from saih.domain.system import ENERGY_PARTS, Price, SystemPoint

LEVEL = 0.95
SECONDS_PER_HOUR = 3600.0
_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRatio:
    """A ratio as its logarithm, with the variances that make it uncertain."""

    value: float
    measuring: float
    own: float
    """Of the noise of the points by themselves; its degrees of freedom are ``freedom``."""
    shared: float
    """Of the noise that all points of a run share."""
    freedom: float
    count: int

    @property
    def deviation(self) -> float:
        """Standard deviation of everything together."""
        return math.sqrt(self.measuring + self.own + self.shared)

    @property
    def total_freedom(self) -> float:
        """Of everything together (Satterthwaite, Biometrics Bulletin 2, 1946, 110)."""
        noise = self.own + self.shared
        if not noise or math.isinf(self.freedom):
            return math.inf
        return self.freedom * ((self.measuring + noise) / noise) ** 2

    @property
    def p_value(self) -> float:
        """Of equal speed."""
        return p_value(self.value, self.deviation, self.total_freedom)

    @property
    def interval(self) -> Interval:
        """The ratio with its interval at ``LEVEL``."""
        return ratio_interval(self.value, reach(self.deviation, self.total_freedom), self.count)


def p_value(value: float, deviation: float, freedom: float) -> float:
    """Two-sided probability of so large a value where the true one is 0."""
    if not deviation:
        return 1.0 if not value else 0.0
    score = abs(value) / deviation
    if math.isinf(freedom):
        return float(2 * special.ndtr(-score))
    return float(2 * special.stdtr(freedom, -score))


def quantile(freedom: float, level: float = LEVEL) -> float:
    """Half-width of the interval in standard deviations."""
    if math.isinf(freedom):
        return float(special.ndtri((1 + level) / 2))
    return float(special.stdtrit(freedom, (1 + level) / 2))


def reach(deviation: float, freedom: float, level: float = LEVEL) -> float:
    """Half-width of the interval."""
    return quantile(freedom, level) * deviation


def ratio_interval(log_value: float, half_width: float, count: int) -> Interval:
    """The interval of a ratio around ``exp(log_value)``."""
    low, value, high = (math.exp(log_value + side * half_width) for side in (-1, 0, 1))
    return Interval(low=low, value=value, high=high, level=LEVEL, count=count)


def log_ratio(match: Match, view: View, noise: Noise, prices: tuple[Price | None, ...]) -> LogRatio | None:
    """The ratio of A over B in this view; None where a side lacks what the view divides by."""
    sides = [_side(points, view, price) for points, price in zip((match.a, match.b), prices, strict=True)]
    if sides[0] is None or sides[1] is None or (view is View.JOULE and not _same_parts(match)):
        return None
    a, b = sides[0], sides[1]
    return LogRatio(
        value=round(a.log_value - b.log_value, _DIGITS),  # one question in several views stays one number
        measuring=round(a.measuring + b.measuring, _DIGITS),
        own=noise.own**2 * (1 / a.repeats + 1 / b.repeats),
        shared=noise.shared**2 * (1 / a.runs + 1 / b.runs),
        freedom=noise.freedom,
        count=a.repeats + b.repeats,
    )


def mean_ratio(ratios: Sequence[LogRatio]) -> LogRatio | None:
    """The mean of these logarithms: what runs share does not average out; None without ratios."""
    if not ratios:
        return None
    count = len(ratios)
    return LogRatio(
        value=math.fsum(one.value for one in ratios) / count,
        measuring=math.fsum(one.measuring for one in ratios) / count**2,
        own=math.fsum(one.own for one in ratios) / count**2,
        shared=max(one.shared for one in ratios),
        freedom=min(one.freedom for one in ratios),
        count=count,
    )


def combined(points: Sequence[SystemPoint], values: Sequence[Interval]) -> Interval:
    """Repeats as one value, with the interval that the steps inside the runs stand for."""
    mean = mean_of_repeats(points, values)
    if len(values) == 1:
        return values[0]
    count = sum(value.count for value in values)
    return ratio_interval(mean.log_value, reach(math.sqrt(mean.measuring), math.inf), count)


def _same_parts(match: Match) -> bool:
    """Whether all energies were counted of the same parts of the machine."""
    return len({point.facts.get(ENERGY_PARTS, "") for point in (*match.a, *match.b)}) == 1


def _side(points: Sequence[SystemPoint], view: View, price: Price | None) -> MeanOfRepeats | None:
    values = [_value(point, view, price) for point in points]
    known = [value for value in values if value is not None and value.low > 0]
    return mean_of_repeats(points, known) if len(known) == len(values) else None


def _value(point: SystemPoint, view: View, price: Price | None) -> Interval | None:
    """What is compared in this view, larger is better."""
    rate = point.samples_per_s
    if view is View.SYSTEM:
        return rate
    if view is View.SHARE:
        return point.share_of_peak
    if view is View.JOULE:
        energy = point.joules_per_sample
        return energy.inverted() if energy is not None and energy.low > 0 else None
    if view is View.PRICE:
        nodes = point.num_nodes
        if price is None or not nodes:
            return None
        return rate.scaled(SECONDS_PER_HOUR / (price.per_node_hour * nodes))
    counts = {View.NODE: point.num_nodes, View.GPU: point.num_gpus, View.RANK: point.num_ranks}
    count = counts[view]
    return rate.scaled(1 / count) if count else None

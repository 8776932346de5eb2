"""Readings of a foreign series to points: what is wrong with them is named by its place and left out."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from saih.analyzer.mistaken_unit import FEWEST_SIZES, decades_off, factor_words, is_prefix
from saih.domain.interval import Interval, median
from saih.domain.quantity import amount, counted
from saih.domain.series import GREATEST_VALUE, LEAST_VALUE, Reading
from saih.domain.series_trend import SeriesPoint

Array = NDArray[np.float64]

_LEVEL = 0.95
_MEDIAN_EFFICIENCY = math.sqrt(math.pi / 2)
"""Standard deviation of a median over that of a mean, for many normal values."""
_FEWEST_FOR_OUTLIERS = 4
_OUTLYING = 5.0
"""Normal deviations, from the median absolute deviation, beyond which a repeat is an outlier."""
_LEAST_OUTLYING = 0.1
_DEVIATIONS_PER_MAD = 1.4826
_MAX_NAMED = 4
_EXACT_DIGITS = 5
"""Of so many significant digits, two runs do not have all alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The points of usable readings, and a sentence for everything that is wrong or odd."""

    points: tuple[SeriesPoint, ...]
    noise: float
    """Standard deviation of log(value of a point) that repeats or told intervals show; 0 where none do."""
    findings: tuple[str, ...]


def judge(readings: Sequence[Reading], what: str, *, is_part: bool = False) -> Judged:
    """Points by growing size. Unusable readings, copies and mistaken units take no part, and are named.

    ``what`` begins the sentences, such as the name of a phase; it may be empty. A part of something larger
    may take no time at all.
    """
    findings: list[str] = []
    nothing = [one for one in readings if is_part and one.value == 0]
    usable = [one for one in readings if one.is_usable]
    findings += _unusable([one for one in readings if not one.is_usable and not (is_part and one.value == 0)])
    usable = [*_without_mistaken_units(usable, findings), *nothing]
    usable = _without_copies(usable, findings)
    groups = _by_size(usable)
    positive = [group for group in groups if all(one.value > 0 for one in group)]
    findings += _outliers(positive)
    deviation, freedom = _pooled([group for group in positive if len(group) > 1])
    points = tuple(_point(group, deviation, freedom) for group in groups)
    prefix = f"{what}: " if what else ""
    return Judged(
        points=points,
        noise=_noise(positive, deviation),
        findings=tuple(f"{prefix}{text}" for text in findings),
    )


def _unusable(readings: Sequence[Reading]) -> Iterator[str]:
    """One sentence for each kind of value that is no duration."""
    kinds = (
        ("is no number", [one for one in readings if math.isnan(one.value)]),
        (
            f"is beyond all bounds ({LEAST_VALUE:g} to {GREATEST_VALUE:g})",
            [one for one in readings if one.value == -math.inf or (one.value > 0 and not one.is_usable)],
        ),
        ("is zero: nothing takes no time", [one for one in readings if one.value == 0]),
        ("is negative, as where a clock runs backwards", [o for o in readings if -math.inf < o.value < 0]),
    )
    for words, found in kinds:
        if found:
            verb = "takes" if len(found) == 1 else "take"
            yield f"{counted(len(found), 'value')} {verb} no part ({_places(found)}): each {words}."


def _places(readings: Sequence[Reading]) -> str:
    named = [
        f"{one.place}: {one.written or 'empty'!r} at {amount(one.size)}" for one in readings[:_MAX_NAMED]
    ]
    left = len(readings) - len(named)
    return "; ".join([*named, *([f"{left} more"] if left > 0 else [])])


def _without_mistaken_units(readings: Sequence[Reading], findings: list[str]) -> list[Reading]:
    """The readings but those a thousand times off the line through all others: ns are told as us, or so."""
    if len({one.size for one in readings}) < FEWEST_SIZES:
        return _against_repeats(readings, findings)
    off = decades_off([one.size for one in readings], [one.value for one in readings]).tolist()
    mistaken = {place: readings[place] for place, decades in enumerate(off) if is_prefix(decades)}
    if not mistaken or 2 * len(mistaken) >= len(readings):
        return list(readings)
    findings.append(_units_words(tuple(mistaken.values()), [off[place] for place in mistaken]))
    return [one for one, decades in zip(readings, off, strict=True) if not is_prefix(decades)]


def _against_repeats(readings: Sequence[Reading], findings: list[str]) -> list[Reading]:
    """With few sizes only three repeats or more of one size tell which of them is off."""
    kept = []
    for group in _by_size(readings):
        middle = median([one.value for one in group])
        off = [math.log10(one.value / middle) for one in group]
        mistaken = {place: group[place] for place, decades in enumerate(off) if is_prefix(decades)}
        if len(group) < 3 or 2 * len(mistaken) >= len(group):
            mistaken = {}
        if mistaken:
            findings.append(_units_words(tuple(mistaken.values()), [off[place] for place in mistaken]))
        kept += [one for place, one in enumerate(group) if place not in mistaken]
    return kept


def _by_size(readings: Sequence[Reading]) -> list[list[Reading]]:
    """Readings of one size together, by growing size."""
    groups: dict[float, list[Reading]] = defaultdict(list)
    for one in readings:
        groups[one.size].append(one)
    return [groups[size] for size in sorted(groups)]


def _units_words(mistaken: Sequence[Reading], off: Sequence[float]) -> str:
    factors = " or ".join(sorted(set(map(factor_words, off))))
    verb = "takes" if len(mistaken) == 1 else "take"
    return (
        f"{counted(len(mistaken), 'value')} {verb} no part ({_places(mistaken)}): about {factors} times "
        "what all others lead to expect, as where one unit is told for another (ns for us). Correct the "
        "unit and read the file again."
    )


def _without_copies(readings: Sequence[Reading], findings: list[str]) -> list[Reading]:
    """Readings of one size with the same value to the last of many digits are one run, copied.

    Values of few digits are alike by rounding, and stay: two of three runs of 1.2, 1.2 and 1.3 are two runs.
    """
    known: set[tuple[float, float]] = set()
    kept: list[Reading] = []
    copies: list[Reading] = []
    rounded: list[Reading] = []
    for one in readings:
        is_again = (one.size, one.value) in known
        known.add((one.size, one.value))
        is_copy = is_again and _num_digits(one) >= _EXACT_DIGITS
        (copies if is_copy else kept).append(one)
        rounded += [one] if is_again and not is_copy else []
    if copies:
        findings.append(
            f"{_repeated(copies)} to the last digit ({_places(copies)}): copies of one run, counted once; no "
            "noise can be told from them."
        )
    if rounded:
        findings.append(
            f"{_repeated(rounded)} with fewer than {_EXACT_DIGITS} digits ({_places(rounded)}): counted as "
            "runs of their own that were rounded alike; noise below the last digit is not seen."
        )
    return kept


def _repeated(readings: Sequence[Reading]) -> str:
    verb = "repeats" if len(readings) == 1 else "repeat"
    return f"{counted(len(readings), 'value')} {verb} another of the same size"


def _num_digits(one: Reading) -> int:
    """Significant digits of a value as it is written."""
    mantissa = (one.written or repr(one.value)).lower().partition("e")[0]
    return len("".join(filter(str.isdecimal, mantissa)).lstrip("0"))


def _outliers(groups: Sequence[Sequence[Reading]]) -> Iterator[str]:
    """Repeats far from the others of their size; they stay, for the median does not mind them."""
    found = []
    for group in groups:
        logs = np.log([one.value for one in group])
        away = np.abs(logs - np.median(logs))
        reach = max(_OUTLYING * _DEVIATIONS_PER_MAD * float(np.median(away)), _LEAST_OUTLYING)
        if len(group) >= _FEWEST_FOR_OUTLIERS:
            found += [one for one, distance in zip(group, away, strict=True) if distance > reach]
    if found:
        yield (
            f"{counted(len(found), 'value')} far from the other repeats of the same size "
            f"({_places(found)}); the median of all repeats counts. Look whether the problem was the same."
        )


def _pooled(groups: Sequence[Sequence[Reading]]) -> tuple[float, float]:
    """Standard deviation of log(value) from run to run, pooled over sizes, and its degrees of freedom."""
    squares = sum(float(np.var(np.log([one.value for one in group]))) * len(group) for group in groups)
    freedom = sum(len(group) - 1 for group in groups)
    return (math.sqrt(squares / freedom), float(freedom)) if freedom else (0.0, 0.0)


def _noise(groups: Sequence[Sequence[Reading]], deviation: float) -> float:
    """Of the points: their repeats, or else the intervals that the file tells."""
    if deviation > 0:
        counts = [len(group) for group in groups]
        return float(np.sqrt(np.mean([(deviation * _shrink(count)) ** 2 for count in counts])))
    told = [one.spread for group in groups for one in group if one.spread is not None and one.spread.low > 0]
    widths = [math.log(one.high / one.low) / 2 / float(special.ndtri((1 + one.level) / 2)) for one in told]
    return float(np.sqrt(np.mean(np.square(widths)))) if widths else 0.0


def _shrink(count: int) -> float:
    """Standard deviation of the median of this many values, over that of one."""
    return 1.0 if count == 1 else (1.0 if count == 2 else _MEDIAN_EFFICIENCY) / math.sqrt(count)


def _point(group: Sequence[Reading], deviation: float, freedom: float) -> SeriesPoint:
    value = median([one.value for one in group])
    return SeriesPoint(
        size=group[0].size,
        value=value,
        interval=_interval(group, value, deviation, freedom),
        num_runs=len(group),
        places=tuple(one.place for one in group),
    )


def _interval(group: Sequence[Reading], value: float, deviation: float, freedom: float) -> Interval | None:
    if deviation > 0 and value > 0:
        reach = float(special.stdtrit(freedom, (1 + _LEVEL) / 2)) * deviation * _shrink(len(group))
        low, high = value * math.exp(-reach), value * math.exp(reach)
        if math.isfinite(high):
            return Interval(low=low, value=value, high=high, level=_LEVEL, count=len(group))
    return group[0].spread if len(group) == 1 else None


def settings_apart(readings: Sequence[Reading]) -> dict[str, Counter[str]]:
    """Facts that are not the same at all readings: name -> how often each value."""
    names = dict.fromkeys(name for one in readings for name in one.facts)
    told = {name: Counter(one.facts.get(name, "not told") for one in readings) for name in names}
    return {name: values for name, values in told.items() if len(values) > 1}

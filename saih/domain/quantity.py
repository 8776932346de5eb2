"""Quantities in words: a number with its SI prefix, unit and interval, in as many digits as it deserves.

Number and unit are joined by a no-break space. Prefixes are powers of 1000 for bytes too: GB = 10^9.
"""

import math

from saih.domain.interval import Interval

NO_BREAK = "\N{NO-BREAK SPACE}"
_PERCENT_PLACES = 4
"""Digits after the point of a percentage; what is smaller is rounding."""
_PREFIXES = {
    -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"
}  # fmt: skip


def with_si(value: float, unit: str, digits: int = 3) -> str:
    """``value`` [unit] with an SI prefix, such as ``1.23 GFLOP/s``."""
    exponent = _exponent(value, digits, unit)
    return f"{_digits(value / 10.0**exponent, digits)}{NO_BREAK}{_PREFIXES[exponent]}{unit}".rstrip(NO_BREAK)


def in_seconds(duration_ns: float) -> str:
    """A duration given in ns, without interval, such as ``12.3 ms``."""
    return with_si(duration_ns / 1e9, "s")


def amount(value: float) -> str:
    """A number without unit, such as ``134 M``."""
    return with_si(value, "")


def interval_with_si(interval: Interval, unit: str) -> str:
    """Value and bounds in one unit, such as ``12.3 ms [12.1, 12.6]``."""
    digits = _deserved_digits(interval)
    exponent = _exponent(interval.value, digits, unit)
    scale = 10.0**exponent
    return _bracketed(interval, scale, digits, f"{_PREFIXES[exponent]}{unit}")


def duration(interval_ns: Interval) -> str:
    """A duration given in ns, such as ``12.3 ms [12.1, 12.6]``."""
    return interval_with_si(interval_ns.scaled(1e-9), "s")


def share(interval: Interval) -> str:
    """A ratio in percent with its interval, such as ``38.2 % [37.9, 38.5]``."""
    return _bracketed(interval, 0.01, _deserved_digits(interval), "%")


def percent(value: float, digits: int = 2) -> str:
    """A ratio in percent, such as ``38 %``."""
    return f"{_digits(round(value * 100, _PERCENT_PLACES), digits)}{NO_BREAK}%"


def factor(interval: Interval) -> str:
    """A ratio as a factor, such as ``1.32x [1.30, 1.35]``."""
    digits = _deserved_digits(interval)
    return f"{_digits(interval.value, digits)}x {_bounds(interval, 1.0, digits)}"


def counted(count: int, noun: str) -> str:
    """``1 point``, ``2 points``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def tick(value: float) -> str:
    """A tick of an axis: ``200 k``, ``0.5``."""
    return with_si_short(value, "")


def with_si_short(value: float, unit: str) -> str:
    """``with_si`` without trailing zeros, for round numbers: ``2 ms``."""
    number, _, prefixed = with_si(value, unit).partition(NO_BREAK)
    trimmed = number.rstrip("0").rstrip(".") if "." in number else number
    return f"{trimmed}{NO_BREAK}{prefixed}".rstrip(NO_BREAK)


def _bracketed(interval: Interval, scale: float, digits: int, unit: str) -> str:
    number = _digits(interval.value / scale, digits)
    joined = f"{number}{NO_BREAK}{unit}" if unit else number
    return f"{joined} {_bounds(interval, scale, digits)}"


def _bounds(interval: Interval, scale: float, digits: int) -> str:
    decimals = _decimals(interval.value / scale, digits)
    low, high = (f"{bound / scale:.{decimals}f}" for bound in (interval.low, interval.high))
    return f"[{low},{NO_BREAK}{high}]"


def _deserved_digits(interval: Interval) -> int:
    """Three digits, or up to five where the interval is narrow enough to need them."""
    width = interval.relative_width
    if not 0 < width < math.inf:
        return 3
    return min(max(math.ceil(-math.log10(width)) + 1, 3), 5)


def _exponent(value: float, digits: int, unit: str) -> int:
    """Power of ten of the prefix; nobody reads kiloseconds, or thousandths of a bare number."""
    if value == 0:
        return 0
    rounded = float(f"{abs(value):.{digits - 1}e}")
    exponent = 3 * math.floor(math.log10(rounded) / 3 + 1e-12)
    lowest, highest = (
        (0, max(_PREFIXES)) if not unit else (min(_PREFIXES), 0 if unit == "s" else max(_PREFIXES))
    )
    return min(max(exponent, lowest), highest)


def _decimals(value: float, digits: int) -> int:
    if value == 0:
        return 0
    rounded = float(f"{abs(value):.{digits - 1}e}")
    return max(digits - 1 - math.floor(math.log10(rounded) + 1e-12), 0)


def _digits(value: float, digits: int) -> str:
    return f"{value:.{min(_decimals(value, digits), 12)}f}"

"""Where along an axis another part of the step becomes the longest, inside and beyond the measured range."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.fit import Prediction
from saih.analyzer.forecast import Forecast
from saih.analyzer.overtaking import Overtaking, overtakings
from saih.analyzer.step_rule import Parts, sum_of
from saih.domain.crossing import Crossing
from saih.domain.quantity import amount, percent
from saih.domain.verdict import Limit

Array = NDArray[np.float64]

_SHARP = 1.005
"""An interval narrower than this factor is printed as one size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What was measured, and how sizes are called."""

    largest: float
    """Measured."""
    is_ranks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rival:
    """Two curves that may change places, and what holds the step where either is longer."""

    name: Limit
    own: Prediction
    others: Prediction
    others_names: tuple[Limit, ...]
    """At each size."""


def component_crossings(found: Forecast, reach: Reach) -> tuple[Crossing, ...]:
    """Every change of the longest part of a step, by growing size.

    The parts are compute (all phases but exchange and input), the exposed exchange, and the production of
    input, hidden or not, which competes with the work of a whole step. Intervals: see ``overtakings``; a
    crossing whose interval is open on both sides is no claim and left out.
    """
    exchange = found.parts.exchange
    begun = (
        np.isfinite(exchange.log_value)
        if exchange is not None
        else np.full(len(found.sizes), fill_value=True)
    )
    sizes = found.sizes[begun]
    rivals = _rivals(_from(found, sizes))
    crossings = [
        crossing
        for rival in rivals
        for crossing in _changes(rival, sizes, found.count, reach)
        if _is_felt(crossing, rivals, sizes) and not (crossing.is_open_below and crossing.is_open_above)
    ]
    return tuple(sorted(crossings, key=lambda crossing: crossing.size.value))


def _from(found: Forecast, sizes: Array) -> Parts:
    parts = found.parts
    return Parts(
        compute=found.pick(parts.compute, sizes),
        exchange=found.pick(parts.exchange, sizes) if parts.exchange is not None else None,
        produce=found.pick(parts.produce, sizes) if parts.produce is not None else None,
    )


def _rivals(parts: Parts) -> list[_Rival]:
    count = len(parts.compute.log_value)
    rivals = []
    work, names = parts.compute, (Limit.COMPUTE,) * count
    if parts.exchange is not None:
        rivals.append(
            _Rival(name=Limit.INTERCONNECT, own=parts.exchange, others=parts.compute, others_names=names)
        )
        is_longer = parts.exchange.log_value > parts.compute.log_value
        names = tuple(Limit.INTERCONNECT if longer else Limit.COMPUTE for longer in is_longer)
        work = sum_of([parts.compute, parts.exchange])
    if parts.produce is not None:
        rivals.append(_Rival(name=Limit.INPUT, own=parts.produce, others=work, others_names=names))
    return rivals


def _changes(rival: _Rival, sizes: Array, count: int, reach: Reach) -> list[Crossing]:
    rises = overtakings(rival.others, rival.own, sizes, count)
    falls = overtakings(rival.own, rival.others, sizes, count)
    found = []
    for change, is_rise in [*((one, True) for one in rises), *((one, False) for one in falls)]:
        other = rival.others_names[int(np.searchsorted(sizes, change.size.value, side="right")) - 1]
        before, after = (other, rival.name) if is_rise else (rival.name, other)
        found.append(_crossing(before, after, change, reach))
    return found


def _is_felt(crossing: Crossing, rivals: list[_Rival], sizes: Array) -> bool:
    """Whether the step turns there: not where both parts pass below input that takes longer than either."""
    if Limit.INPUT in (crossing.before, crossing.after) or rivals[-1].name is not Limit.INPUT:
        return True
    place = int(np.argmin(np.abs(np.log(sizes / crossing.size.value))))
    return bool(rivals[-1].own.log_value[place] <= rivals[-1].others.log_value[place])


def _crossing(before: Limit, after: Limit, change: Overtaking, reach: Reach) -> Crossing:
    is_extrapolated = change.size.value > reach.largest * (1 + 1e-9)
    tail = ", extrapolated beyond the measured sizes" if is_extrapolated else ""
    return Crossing(
        before=before,
        after=after,
        size=change.size,
        is_extrapolated=is_extrapolated,
        is_open_below=change.is_open_below,
        is_open_above=change.is_open_above,
        statement=f"The longest part of the step turns from {_noun(before)} to {_noun(after)} "
        f"{_where(change, reach)} ({percent(change.size.level)}){tail}.",
    )


def _noun(limit: Limit) -> str:
    return {Limit.INTERCONNECT: "the interconnect"}.get(limit, str(limit))


def _where(change: Overtaking, reach: Reach) -> str:
    """Such as ``at 90-160 ranks``; sizes that bound nothing are left out."""
    low, value, high = (
        _size_words(one, reach) for one in (change.size.low, change.size.value, change.size.high)
    )
    if change.is_open_above:
        return f"at {_unit(low, reach)} or more, best at {value}"
    if change.is_open_below:
        return f"at {_unit(high, reach)} or less, best at {value}"
    same = low == high or change.size.high <= _SHARP * change.size.low
    return f"at {_unit(value if same else f'{low}-{high}', reach)}"


def _unit(words: str, reach: Reach) -> str:
    return f"{words} ranks" if reach.is_ranks else f"size {words}"


def _size_words(size: float, reach: Reach) -> str:
    return str(round(size)) if reach.is_ranks else amount(size)

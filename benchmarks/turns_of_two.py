"""What two contestants differ by, from turns of these two alone: closer than turns of many."""

import time
from collections.abc import Callable

from benchmarks.turn_takers import TurnTaker
from saih.domain.interval import Interval, median_interval

TURN_S = 0.4
FEWEST = 15
CLOSE = 0.01
"""Half of the interval of their ratio, as a share of it, at which these turns end."""


def steps_of(taker: TurnTaker, sign: int = 1) -> Callable[[], float]:
    """One turn of so many steps as fill it, asked for by a number of this sign; seconds of a step."""
    num_steps = str(sign * max(1, round(TURN_S / float(taker.turn(str(sign))))))
    return lambda: float(taker.turn(num_steps))


def quotient(one: Callable[[], float], other: Callable[[], float], limit_s: float) -> Interval:
    """Median of one over the other, in turns until it is known closely, or for ``limit_s``."""
    ratios: list[float] = []
    end = time.monotonic() + limit_s
    while len(ratios) < FEWEST or time.monotonic() < end:
        if len(ratios) % 2:
            own, its = one(), other()
        else:
            its, own = other(), one()
        ratios.append(own / its)
        known = median_interval(ratios)
        if len(ratios) >= FEWEST and known.high - known.low <= 2 * CLOSE * known.value:
            break
    return median_interval(ratios)

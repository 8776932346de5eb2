"""Whether one execution is faster than another, by windows of both in turns, and learns the same. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from saih.domain.interval import Interval
from saih.domain.tuning import Verdict
from workloads.tuning import LOSS_BOUNDS, NUM_COMPARED_LOSSES

LEVEL = 0.95
MOST_PAIRS = 6
FEWEST_PAIRS = 2
"""One pair decides only about steps that are too long to repeat."""
FEWEST_PAIRS_TO_STOP = 3
LEAST_GAIN = 1.02
"""What cannot be faster by this much is no gain as soon as that is known."""
LONE_PAIR_FACTOR = 1.5
"""One pair alone says nothing of its noise: it is taken to be right within this factor."""
WINDOW_SHARE = 0.006
"""Of the budget: how long the steps of a window are timed, at about; 0.12 s of 20 s."""
WINDOW_S = (0.05, 1.0)
"""At least and at most."""
SETTLE_SHARE = 0.5
"""Of a window: how long steps go on untimed after a switch, until caches are full and batches that were made
meanwhile are used up."""
MOST_STEPS = 60
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306)
"""Two-sided 95 % quantiles of Student's t for 1, 2, ... degrees of freedom."""

Pair = tuple[float, float]
"""Median steps [ns] of the fastest by then and of the candidate, in windows beside each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Of a window: steps that are passed over after a switch, then those that are timed."""

    num_settling: int
    num_timed: int


def shape_of(step_ns: float, budget_s: float) -> Shape:
    """The window of steps that take so long: long ones are timed one by one, and need not settle."""
    shortest_s, longest_s = WINDOW_S
    window_s = min(max(WINDOW_SHARE * budget_s, shortest_s), longest_s)
    num_steps = window_s / max(step_ns * 1e-9, 1e-6)
    return Shape(
        num_settling=min(MOST_STEPS, int(SETTLE_SHARE * num_steps)),
        num_timed=max(1, min(MOST_STEPS, round(num_steps))),
    )


def gain_of(pairs: Sequence[Pair]) -> Interval:
    """How many times as fast the candidate is: the geometric mean of the pairs' ratios.

    Its interval is Student's of the ratios' logarithms: windows of a pair are beside each other in time, so
    that drift takes part in both.
    """
    logs = [math.log(before / after) for before, after in pairs]
    centre, count = fmean(logs), len(logs)
    if count == 1:
        half = math.log(LONE_PAIR_FACTOR)
    else:
        half = _STUDENT[min(count - 1, len(_STUDENT)) - 1] * stdev(logs) / math.sqrt(count)
    return Interval(
        low=math.exp(centre - half),
        value=math.exp(centre),
        high=math.exp(centre + half),
        level=LEVEL,
        count=count,
    )


def verdict_of(gain: Interval, fewest_pairs: int = 1) -> Verdict | None:
    """What so many pairs say; None while more may tell."""
    if gain.count < fewest_pairs:
        return None
    if gain.low > 1:
        return "kept"
    if gain.high < 1:
        return "slower"
    is_small = gain.count >= FEWEST_PAIRS_TO_STOP and gain.high < LEAST_GAIN
    return "no gain" if is_small or gain.count >= MOST_PAIRS else None


def loss_refusal(plain: Sequence[float], own: Sequence[float], precisions: tuple[str, str]) -> str:
    """Why an execution does not learn what the plain one does; empty where its first losses are the same.

    The bound is that of the coarser of both number formats.
    """
    bad = next((number for number, loss in enumerate(own) if not math.isfinite(loss)), None)
    if bad is not None:
        return f"its loss is {own[bad]} at step {bad + 1}"
    bound = max(LOSS_BOUNDS.get(precision, 0.0) for precision in precisions)
    compared = list(zip(plain, own, strict=False))[:NUM_COMPARED_LOSSES]
    for number, (expected, loss) in enumerate(compared):
        off = abs(loss - expected) / max(abs(expected), 1e-12)
        if off > bound:
            return (
                f"its loss at step {number + 1} is {loss:.6g}, that of the plain execution {expected:.6g}: "
                f"off by {100 * off:.2g} %, more than the {100 * bound:.2g} % of rounding to {precisions[1]}"
            )
    return ""

"""When to stop measuring: the rule that one rank applies and all ranks follow. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from saih.domain.interval import FEWEST_ENCLOSING, Interval, median, median_interval
from saih.domain.point import Timing

LEVEL = 0.95
CHECK_EVERY_NS = 500_000_000
"""Ranks meet for a decision about this often, outside the timed steps."""
MAX_CHUNK = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Measure ``num_steps`` more; or, if that is 0, stop for the ``reason``."""

    num_steps: int
    reason: str


def decide(slowest_ns: Sequence[int], expected_step_ns: float, timing: Timing) -> Decision:
    """Whether the measured steps suffice; each is as long as its slowest rank [ns].

    ``expected_step_ns`` sizes the first chunk: what a warm-up step took, 0 if there was none.
    """
    count, spent_ns = len(slowest_ns), sum(slowest_ns)
    interval = median_interval(slowest_ns, LEVEL) if slowest_ns else None
    reason = "" if interval is None else _reason_to_stop(interval, spent_ns, timing)
    if reason:
        return Decision(num_steps=0, reason=reason)
    step_ns = median(slowest_ns) if slowest_ns else expected_step_ns
    left_ns = timing.budget_s * 1e9 - spent_ns
    return Decision(num_steps=min(_chunk(step_ns, left_ns), timing.max_steps - count), reason="")


def _reason_to_stop(interval: Interval, spent_ns: int, timing: Timing) -> str:
    """In words; empty to go on."""
    count = interval.count
    width = f"{100 * interval.relative_width:.1f} %"
    is_sure = interval.relative_width <= timing.relative_width
    if is_sure and count >= max(timing.min_steps, FEWEST_ENCLOSING):
        return f"interval {width} after {count} steps"
    if spent_ns >= timing.budget_s * 1e9:
        wanted = "" if count >= timing.min_steps else f" of at least {timing.min_steps}"
        return f"budget of {timing.budget_s:g} s spent after {count}{wanted} steps, interval {width}"
    if count >= timing.max_steps:
        return f"limit of {timing.max_steps} steps reached, interval {width}"
    return ""


def _chunk(step_ns: float, left_ns: float) -> int:
    """Steps until ranks meet again: about ``CHECK_EVERY_NS``, not beyond the budget, at least one."""
    if step_ns <= 0:
        return 1
    return max(1, min(MAX_CHUNK, math.ceil(min(CHECK_EVERY_NS, left_ns) / step_ns)))

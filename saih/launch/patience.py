"""How long a step may take before its ranks count as hung."""

from collections.abc import Iterable

from saih.domain.point import Timing

_SHORTEST_WATCHDOG_S = 300.0
_WATCHDOG_BUDGETS = 10.0
"""A step counts as hung when it takes longer than this many of the budgets that its point was given."""


def watchdog_limit_s(timings: Iterable[Timing]) -> float:
    """Seconds without progress after which ranks that measure with these timings are ended."""
    return max(_SHORTEST_WATCHDOG_S, _WATCHDOG_BUDGETS * max((one.budget_s for one in timings), default=0.0))

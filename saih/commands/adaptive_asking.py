"""The options of an adaptive sweep as users write them: ``--precision 10%``, ``--budget "2 node-hours"``."""

import re
from dataclasses import dataclass

from saih.commands.wish import Wish
from saih.domain.adaptive import DEFAULT_PRECISION, LEAST_PRECISION, MOST_PRECISION, Asked
from saih.domain.errors import UsageError
from saih.domain.site import Site

_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?) ?%", re.ASCII)
_BUDGET = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) *([a-z-]+)", re.ASCII)
_UNITS_S = {
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "node-s": 1.0,
    "node-min": 60.0,
    "node-hour": 3600.0,
    "node-hours": 3600.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The options of ``saih sweep`` that concern adaptive sweeps, as they were given."""

    precision: str | None
    budget: str | None
    is_adaptive: bool
    is_dry: bool
    is_verifying: bool


def adaptive_sweep(wish: Wish, system: Site, request: Request) -> int:
    """Run an adaptive sweep, or say why not; gives the exit code.

    Raises:
        UsageError: for options that are not understood, or do not go together.
    """
    if not request.is_adaptive:
        raise UsageError("--precision and --budget belong to adaptive sweeps", "add --adaptive.")
    asked = asked_of(request.precision, request.budget)
    if system.scheduler != "local":
        raise UsageError(
            f"--adaptive chooses each point after the last one, which {system.scheduler} would queue for",
            "get the nodes first (such as `salloc`), then add --scheduler local; or leave --adaptive out.",
        )
    if request.is_verifying:
        raise UsageError("--verify and --adaptive do not go together", "run `saih verify` afterwards.")
    if request.is_dry:
        from saih.commands.sweeping import show

        show(wish, system)  # the whole grid: which of it is needed only measuring tells
        return 0
    from saih.commands.adaptive_sweeping import sweep_adaptively

    return sweep_adaptively(wish, system, asked)


def asked_of(precision: str | None, budget: str | None) -> Asked:
    """What the options ask for.

    Raises:
        UsageError: for an option that is not understood or out of range.
    """
    wanted = DEFAULT_PRECISION if precision is None else _precision(precision)
    return Asked(precision=wanted, budget_node_s=None if budget is None else _budget_node_s(budget))


def _precision(text: str) -> float:
    found = _PERCENT.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"--precision {text[:40]!r} is no percentage", "say it such as --precision 10%.")
    value = float(found[1]) / 100
    if not LEAST_PRECISION <= value <= MOST_PRECISION:
        raise UsageError(
            f"--precision {text[:40]!r} cannot be reached or says nothing",
            f"choose {LEAST_PRECISION:.0%} to {MOST_PRECISION:.0%}: two runs of one point differ by 1 %.",
        )
    return value


def _budget_node_s(text: str) -> float:
    """Node-seconds; plain times are those of one node, on which such sweeps run."""
    found = _BUDGET.fullmatch(text.strip().lower())
    unit = _UNITS_S.get(found[2]) if found is not None else None
    if found is None or unit is None or float(found[1]) <= 0:
        raise UsageError(
            f"--budget {text[:40]!r} is not understood",
            f"say a number above 0 and one of {', '.join(_UNITS_S)}, such as --budget '2 node-hours'.",
        )
    return float(found[1]) * unit

"""Causes that a script puts into an application, and the plan that tells which run gets which.

The plan lies beside the data, where the application finds it and nothing of SAIH looks. A run is known by the
seed of its point: two runs differ by their seed alone, so that no record tells what was done to it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from saih.domain.trend import Limit


class Cause(StrEnum):
    """What is done to the application."""

    STORAGE = "slow reads"
    """Every batch reads uncached blocks from the disk before its own data."""
    DECODE = "heavy decoding"
    """Every batch decompresses blocks in memory."""
    EXCHANGE = "slow exchange"
    """The all-reduces of every rank end later."""
    ARITHMETIC = "extra arithmetic"
    """Matrix products in the step of every rank."""
    TRAFFIC = "extra memory traffic"
    """Triads over a buffer beyond the caches in the step of every rank."""
    TINY = "tiny operations"
    """Operations on one number in the step of every rank."""
    SLOW_RANK = "one slow rank"
    """Matrix products in the step of one rank."""


RIGHT: Mapping[Cause, Limit] = {
    Cause.STORAGE: Limit.STORAGE,
    Cause.DECODE: Limit.INPUT,
    Cause.EXCHANGE: Limit.INTERCONNECT,
    Cause.ARITHMETIC: Limit.COMPUTE,
    Cause.TRAFFIC: Limit.MEMORY,
    Cause.TINY: Limit.LAUNCH,
    Cause.SLOW_RANK: Limit.IMBALANCE,
}
"""The class that names each cause rightly."""
HIDDEN = (Cause.STORAGE,)
"""Causes that only wait, which the step hides as long as it is longer."""
_PLAN = "application.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """One cause in one run."""

    cause: Cause
    added_ns: int
    """Work or wait added to each step, or to each batch, of a rank that has it."""
    rank: int = 0
    """The slow one, for ``SLOW_RANK``."""


Plan = Mapping[int, tuple[Injection, ...]]
"""Seed of a run -> what is done to it; an undisturbed run is not in it."""


def write_plan(folder: Path, plan: Plan) -> None:
    """Lay the plan where the application of this data folder finds it."""
    text = json.dumps({str(seed): [asdict(one) for one in injections] for seed, injections in plan.items()})
    (folder / _PLAN).write_text(text, encoding="ascii")


def read_injections(folder: Path, seed: int) -> tuple[Injection, ...]:
    """What is done to the run of this seed; nothing where there is no plan."""
    path = folder / _PLAN
    plan = json.loads(path.read_text(encoding="ascii")) if path.exists() else {}
    return tuple(Injection(**{**one, "cause": Cause(one["cause"])}) for one in plan.get(str(seed), ()))

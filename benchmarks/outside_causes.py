"""Causes outside the application, and the plan that tells the ranks which run gets which."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from saih.domain.trend import Limit


class Outside(StrEnum):
    """What is done around the application."""

    NETWORK = "throttled link"
    """A token bucket on the link between two network namespaces, with one rank in each."""
    STORAGE = "throttled disk"
    """A limit on what the ranks' control group reads from the disk."""
    QUOTA = "processor quota"
    """A limit on the processor time of the ranks' control group."""
    HOG = "busy neighbours"
    """Processes that compute beside the ranks."""


RIGHT: Mapping[Outside, Limit] = {
    Outside.NETWORK: Limit.INTERCONNECT,
    Outside.STORAGE: Limit.STORAGE,
    Outside.QUOTA: Limit.CONTENTION,
    Outside.HOG: Limit.CONTENTION,
}
_PLAN, _MEANS = "outside.json", "means.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One cause in one run."""

    cause: Outside
    amount: float
    """Bytes/s of the link or the disk, processors of the quota, or the number of neighbours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the ranks find what acts on them."""

    keepers: tuple[int, ...]
    """For each rank the process whose network namespace it enters; empty to stay where it is."""
    device: str
    """Number of the disk below the data, such as ``254:0``; empty where it cannot be throttled."""
    groups: Mapping[str, str]
    """Control group by controller (``cpu``, ``io``)."""


def write_plan(folder: Path, plan: Mapping[int, Measure]) -> None:
    """Lay the plan, by seed, where the ranks find it."""
    text = json.dumps({str(seed): asdict(measure) for seed, measure in plan.items()})
    (folder / _PLAN).write_text(text, encoding="ascii")


def read_measure(folder: Path, seed: int) -> Measure | None:
    """What is done to the run of this seed; None for nothing."""
    path = folder / _PLAN
    found = json.loads(path.read_text(encoding="ascii")).get(str(seed)) if path.exists() else None
    return Measure(cause=Outside(found["cause"]), amount=found["amount"]) if found else None


def write_places(folder: Path, places: Places) -> None:
    """Lay down where ranks find what acts on them."""
    (folder / _MEANS).write_text(json.dumps(asdict(places)), encoding="utf-8")


def read_places(folder: Path) -> Places:
    """Where ranks find what acts on them."""
    found = json.loads((folder / _MEANS).read_text(encoding="utf-8"))
    return Places(keepers=tuple(found["keepers"]), device=found["device"], groups=found["groups"])

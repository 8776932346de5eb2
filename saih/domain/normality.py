"""Where a figure of an analysis stands: against what, how, and why."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Where a figure stands."""

    BETWEEN = "within"
    ABOVE = "above"
    BELOW = "below"
    NOT_COMPARABLE = "not comparable"
    NO_REFERENCE = "no reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One figure of an analysis with where it stands, and why."""

    name: str
    """Stable, such as ``public/share-of-peak``."""
    title: str
    value: str
    """The figure with its interval; empty where there is none to place."""
    reference: str
    """What it is held against, with its range; empty for nothing."""
    verdict: Verdict
    text: str
    """The whole as a sentence or two."""
    record_ids: tuple[str, ...]
    sources: tuple[str, ...] = ()
    """Who says the reference."""

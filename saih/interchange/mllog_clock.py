"""Whether the clock of a log went on: what starts must not have ended before."""

from collections.abc import Sequence

from saih.domain.errors import DamagedData
from saih.interchange.mllog import Event

_SPANS = ("run", "epoch", "block")


def require_ends_after_starts(events: Sequence[Event], source: str) -> None:
    """Refuse what ends before its first start; events are in the order of their times.

    Sorted so, wrong epochs would come of it. ``source`` is what the error calls the log.

    Raises:
        DamagedData: with the line of the end.
    """
    first: dict[tuple[str, str], float] = {}
    last: dict[tuple[str, str], Event] = {}
    for event in events:
        stem, _, side = event.key.rpartition("_")
        what = stem, str(event.metadata.get("epoch_num", event.metadata.get("first_epoch_num", "")))
        if stem in _SPANS and side == "start":
            first.setdefault(what, event.time_ms)
        elif stem in _SPANS and side == "stop":
            last[what] = event
    for (stem, number), event in last.items():
        begun = first.get((stem, number))
        if begun is not None and event.time_ms < begun:
            raise DamagedData(
                f"line {event.line} of the log {source} ends {stem} {number}".rstrip()
                + f" {(begun - event.time_ms) / 1e3:g} s before it starts: a clock went backwards",
                "leave this log out; no duration of it can be trusted.",
            )

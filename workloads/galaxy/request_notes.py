"""Notes on the requests of a point: the plan, what was foreseen, and what came; arithmetic only."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from workloads.protocol import Told

_PERCENTILES = (50, 95, 99)


def request_notes(told: Sequence[Told]) -> dict[str, str]:
    """Notes of a point from what its ranks told, by rank: of the first replica, whose ranks come first.

    All ranks tell how many bytes they sent; the one that gives answers also how long they took, and the first
    one what was planned.
    """
    own = [each for each in told if each["replica"] == 0]
    planned: Mapping[str, Any] = own[0]["planned"]
    took_ns = sorted(took for each in own for took in each["took_ns"])
    notes = {
        "plan": planned["words"],
        "mode": planned["mode"],
        "predicted_ns": _whole(planned["predicted_ns"]),
        "bound_ns": _whole(planned["bound_ns"]),
        "predicted_memory_bytes": " ".join(_whole(value) for value in planned["memory_bytes"]),
        "link_bytes_per_request": _whole(sum(each["sent_bytes"] for each in own)),
        "check": planned["check"],
    }
    if took_ns:
        typical = _percentile(took_ns, 50)
        notes |= {f"latency_p{percent}_ns": str(_percentile(took_ns, percent)) for percent in _PERCENTILES}
        notes["measured_over_predicted"] = f"{typical / planned['predicted_ns']:.4g}"
        notes["share_of_bound"] = f"{planned['bound_ns'] / typical:.4g}"
    return notes


def _percentile(ordered: Sequence[int], percent: int) -> int:
    """The least that as many of all do not exceed."""
    return ordered[math.ceil(percent / 100 * len(ordered)) - 1]


def _whole(value: float) -> str:
    return str(round(value))

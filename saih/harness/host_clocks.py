"""The clocks of all hosts: durations must mean the same on each; what the calendar says is only noted."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from saih.domain.errors import EnvironmentMissing
from saih.harness.clock import host_ns
from saih.harness.ranks import Ranks
from saih.machine.messages import Message, broadcast, gather
from saih.machine.probe import text_of

RATE_TOLERANCE = 0.02
"""Clocks that differ by less count as equally fast; true ones differ by 0.0001 at most."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_FIRST_SPAN_S = 0.05
_LAST_SPAN_S = 1.6
"""Ranks leave a barrier some ms apart on a crowded node: a difference must hold over a long span too."""


def require_equal_clocks(ranks: Ranks) -> Mapping[str, str]:
    """Notes on the clocks of several hosts, on rank 0; every rank of the job calls it.

    Raises:
        EnvironmentMissing: on every rank, when a host's clock runs faster or slower than that of rank 0.
    """
    if len(ranks.hosts) == 1 or _is_one_kernel(ranks):
        return {}
    span_s = _FIRST_SPAN_S
    while True:
        messages = gather(ranks.comm, _span(ranks, span_s))
        told = broadcast(ranks.comm, None if messages is None else _verdict(ranks, messages))
        if not told["problem"]:
            return {"wall_clock_spread": told["note"]}
        if span_s >= _LAST_SPAN_S:
            raise EnvironmentMissing(
                told["problem"], "leave that node out (site options), and tell whoever runs the system."
            )
        span_s *= 2


def different_rates(spans_ns: Mapping[str, int]) -> str:
    """What is wrong with the durations of one span as each host measured it, the first one given first."""
    first_host, first_ns = next(iter(spans_ns.items()))
    for host, span_ns in spans_ns.items():
        if abs(span_ns / first_ns - 1) > RATE_TOLERANCE:
            return (
                f"the same moment lasted {span_ns / 1e9:.3f} s by the clock of {host}, and "
                f"{first_ns / 1e9:.3f} s by that of {first_host}: durations on them do not compare"
            )
    return ""


def _is_one_kernel(ranks: Ranks) -> bool:
    """Whether the hosts are emulated on one machine, whose clock they share; every rank calls it."""
    messages = gather(ranks.comm, {"boot": text_of(_BOOT) or ""})
    boots = None if messages is None else {message["boot"] for message in messages}
    told = broadcast(ranks.comm, None if boots is None else {"is_one": len(boots) == 1 and "" not in boots})
    return bool(told["is_one"])


def _span(ranks: Ranks, span_s: float) -> Message:
    ranks.comm.Barrier()
    begin_ns, wall_s = host_ns(), datetime.now(UTC).timestamp()
    time.sleep(span_s if ranks.rank == 0 else 0.0)
    ranks.comm.Barrier()
    return {"span_ns": host_ns() - begin_ns, "wall_s": wall_s}


def _verdict(ranks: Ranks, messages: Sequence[Message]) -> Message:
    firsts = [messages[rank] for rank in ranks.first_ranks]
    walls_s = [message["wall_s"] for message in firsts]
    spans_ns = {host: int(one["span_ns"]) for host, one in zip(ranks.hosts, firsts, strict=True)}
    note = f"{max(walls_s) - min(walls_s):.3f} s over {len(walls_s)} hosts"
    return {"problem": different_rates(spans_ns), "note": note}

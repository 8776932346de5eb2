"""Rates of links as commands for tc(8): what one device may send, and what the switch may send to it.

Where the switch delays frames it also gives each the time that it takes: then buckets may hold a millisecond,
so that fewer and larger frames pass through it, and there are none behind it.

Token buckets count frames of Ethernet, so TCP carries 1448 of 1514 bytes of what is asked for. A bucket holds
what the link sends in a quarter of a millisecond, and two frames at least: that much of a transfer after a
pause is not slowed down.
"""

from collections.abc import Mapping, Sequence

from tools.edge_testbed_parts.parts import DelaysBy
from tools.edge_testbed_parts.specification import Specification

_BURST_S: Mapping[DelaysBy, float] = {"none": 250e-6, "netem": 250e-6, "switch": 1e-3}
_FRAME_BYTES, _PAYLOAD_BYTES = 1514, 1448
_MOST_SEGMENTS_BYTES = 65536
_LEAST_BURST_BYTES = 2 * _FRAME_BYTES
_QUEUE_S = 0.05
"""What waits at a link at most; more is lost, as in a router."""
_UNLIMITED_BIT_PER_S = 1e11
_OTHERS = 10
_FIRST_PAIR = 100


def burst_bytes(rate_bit_per_s: float, delays_by: DelaysBy) -> int:
    """What may pass at once after a pause."""
    return max(_LEAST_BURST_BYTES, round(rate_bit_per_s / 8 * _BURST_S[delays_by]))


def segments_bytes(rate_bit_per_s: float | None, delays_by: DelaysBy) -> int:
    """What the device's kernel may hand to the link as one: a bucket takes apart what it cannot hold.

    Whole, a link of 1 Gbit/s is some thousand buffers a second, not eighty thousand frames.
    """
    if rate_bit_per_s is None:
        return _MOST_SEGMENTS_BYTES
    whole = burst_bytes(rate_bit_per_s, delays_by) // _FRAME_BYTES * _PAYLOAD_BYTES
    return min(_MOST_SEGMENTS_BYTES, whole)


def upward(
    asked: Specification,
    name: str,
    addresses: Sequence[str],
    interface: str,
    *,
    delays_by: DelaysBy,
    is_new: bool,
) -> list[str]:
    """Lines for ``tc -batch`` on the device: its rate, and those of its pairs.

    ``addresses`` are those of all devices. Its kernel delays what it sends where netem does.
    """
    rate = asked.links[asked.names.index(name)].up_bit_per_s
    limited = [pair for pair in asked.pairs if name in pair.between and pair.rate_bit_per_s is not None]
    if not limited:
        delay_ns = asked.links[asked.names.index(name)].delay_ns
        return [
            *_bucket(rate, interface, delays_by),
            *(_delayed(rate, delay_ns, interface) if delays_by == "netem" else []),
        ]
    whole = _UNLIMITED_BIT_PER_S if rate is None else rate
    # Classes are promised little, and may borrow up to their ceilings from what the whole link has.
    promised = whole / (len(limited) + 1)
    lines = [
        *([f"qdisc replace dev {interface} root handle 1: htb default {_OTHERS}"] if is_new else []),
        f"class replace dev {interface} parent 1: classid 1:1 htb {_ceiling(whole, whole)}",
        f"class replace dev {interface} parent 1:1 classid 1:{_OTHERS} htb {_ceiling(promised, whole)}",
        _queue(interface, _OTHERS, whole),
    ]
    for number, pair in enumerate(limited, start=_FIRST_PAIR):
        other = pair.between[pair.between[0] == name]
        ceiling = min(whole, pair.rate_bit_per_s or whole)
        place = f"dev {interface} parent 1:"
        limits = _ceiling(min(promised, ceiling), ceiling)
        matched = f"match ip dst {addresses[asked.names.index(other)]}/32 flowid 1:{number}"
        lines += [
            f"class replace {place}1 classid 1:{number} htb {limits}",
            _queue(interface, number, ceiling),
            f"filter replace {place} handle 800::{number} protocol ip prio 1 u32 {matched}",
        ]
    return lines


def downward(asked: Specification, name: str, interface: str, delays_by: DelaysBy) -> list[str]:
    """Lines for ``tc -batch`` at the switch: what it may send, unless it keeps to that itself."""
    rate = None if delays_by == "switch" else asked.links[asked.names.index(name)].down_bit_per_s
    return _bucket(rate, interface, delays_by)


def _bucket(rate: float | None, interface: str, delays_by: DelaysBy) -> list[str]:
    if rate is None:
        return [f"qdisc replace dev {interface} root pfifo limit 1000"]
    queue_ms = round(_QUEUE_S * 1e3)
    bucket = f"rate {rate:.0f}bit burst {burst_bytes(rate, delays_by)} latency {queue_ms}ms"
    return [f"qdisc replace dev {interface} root handle 1: tbf {bucket}"]


def _delayed(rate: float | None, delay_ns: float, interface: str) -> list[str]:
    """Behind the bucket where there is one; what waits must have room in it."""
    whole = _UNLIMITED_BIT_PER_S if rate is None else rate
    room = 1000 + round(whole / 8 * (delay_ns / 1e9 + _QUEUE_S) / _FRAME_BYTES)
    place = "root" if rate is None else "parent 1:1"
    return [
        f"qdisc replace dev {interface} {place} handle 2: netem delay {delay_ns / 1e3:.0f}us limit {room}"
    ]


def _ceiling(promised: float, ceiling: float) -> str:
    burst = burst_bytes(ceiling, "none")
    return f"rate {promised:.0f}bit ceil {ceiling:.0f}bit burst {burst} cburst {burst} quantum {_FRAME_BYTES}"


def _queue(interface: str, number: int, rate: float) -> str:
    limit = max(4 * _FRAME_BYTES, round(min(rate, 1e9) / 8 * _QUEUE_S))
    return f"qdisc replace dev {interface} parent 1:{number} handle {number}: bfifo limit {limit}"

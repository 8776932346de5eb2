"""In which order devices stand around a ring; arithmetic only."""

from collections.abc import Sequence
from itertools import permutations

from workloads.galaxy.profile import ClusterProfile

MOST_ORDERED = 4
"""Devices of which all orders around a ring are tried."""
SAME = 0.02
"""Part by which links may differ and still be called equal."""


def ring_orders(cluster: ClusterProfile, devices: Sequence[int], num_bytes: float) -> list[tuple[int, ...]]:
    """Orders around a ring: all of few; of more, with the fastest slowest link, and the fastest in sum.

    Where links are equal, one is enough.

    ``num_bytes`` is what each link carries between two waits. The first device stays the first.
    """
    times = [cluster.links[sender][other].time_ns(num_bytes) for sender, other in permutations(devices, 2)]
    if len(devices) == 2 or max(times) <= (1 + SAME) * min(times):
        return [tuple(devices)]
    # Whoever only looks a workload up, as `saih status` does, loads no numerical library.
    from workloads.galaxy.planning.ring_descent import best_orders  # noqa: PLC0415

    hop_ns = [
        [0.0 if sender == other else cluster.links[sender][other].time_ns(num_bytes) for other in devices]
        for sender in devices
    ]
    orders = best_orders(hop_ns, MOST_ORDERED)
    return list(dict.fromkeys(tuple(devices[place] for place in order) for order in orders))

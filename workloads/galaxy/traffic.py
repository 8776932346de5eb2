"""What the mean device brings to links for one request, by the kind of parallelism; arithmetic only.

A reduce-scatter and an all-gather by a ring of n devices each take every device n - 1 messages of its n-th of
the rows, so that all of them together carry (n - 1) / n of the rows (Patarasuk and Yuan, doi
10.1016/j.jpdc.2008.09.002). Tiles cut messages but add no bytes. Few rows, such as those of one new token, go
around no ring: every device tells all others its part of a sum.
"""

from dataclasses import dataclass

from workloads.galaxy.plan import Strategy
from workloads.galaxy.wire_format import WireFormat, wire_bytes
from workloads.transformer.architecture import TransformerArchitecture

_SUMS_PER_LAYER = 2
"""One behind attention, and one behind the MLP: a reduce-scatter with an all-gather where they go around."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Of the mean device."""

    num_messages: int
    num_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Who shares a model, and how rows travel."""

    strategy: Strategy
    num_devices: int
    wire: WireFormat
    itemsize: int
    direct_rows: int = 1
    """Sums of so many rows or fewer are told to all at once."""


def request_traffic(
    architecture: TransformerArchitecture, links: Links, sequence: int, num_new_tokens: int
) -> Traffic:
    """Messages and bytes of a request; those that take tokens in and give answers out are not in it."""
    num, num_bytes = _pass_traffic(architecture, links, sequence)
    each, each_bytes = _pass_traffic(architecture, links, 1)
    return Traffic(
        num_messages=round(num + num_new_tokens * each),
        num_bytes=round(num_bytes + num_new_tokens * each_bytes),
    )


def _pass_traffic(architecture: TransformerArchitecture, links: Links, num_rows: int) -> tuple[float, float]:
    """Of one forward pass: how many messages, and their bytes."""
    num_layers, others = architecture.num_layers, links.num_devices - 1
    share = others / links.num_devices
    row_bytes = wire_bytes(links.wire, num_rows, architecture.hidden_size, links.itemsize)
    match links.strategy:
        case Strategy.LOCAL:
            return 0.0, 0.0
        case Strategy.HYBRID | Strategy.TENSOR:
            sums = _SUMS_PER_LAYER * num_layers
            if num_rows <= links.direct_rows:
                return sums * others, sums * others * row_bytes
            # Of hybrid passes, rows behind the last layer are not gathered.
            rings = 2 * sums - (1 if links.strategy is Strategy.HYBRID else 0)
            return rings * others, rings * share * row_bytes
        case Strategy.SEQUENCE:
            pairs = wire_bytes(links.wire, num_rows, 2 * architecture.kv_size, links.itemsize)
            # Those of a decoder go to later devices only: on average to half of the others.
            ways = 0.5 if architecture.is_decoder else 1.0
            return ways * num_layers * others, ways * num_layers * share * pairs
        case Strategy.PIPELINE:
            return share, share * row_bytes

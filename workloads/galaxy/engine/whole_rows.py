"""Devices that do all rows between products: Megatron-LM's parallelism, passes of few rows, one alone."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from jaxtyping import Float
from torch import Tensor

from workloads.galaxy.engine.desk import Key, Room
from workloads.galaxy.engine.inbox import Inbox
from workloads.galaxy.engine.pieces import HALVES_PER_LAYER, Pieces
from workloads.transformer.split import Span


class Sum(Protocol):
    """Adds up what all devices made of the same rows."""

    @property
    def rooms(self) -> Mapping[Key, Room]:
        """What other devices send."""

    def total(self, part: Tensor, half: int, pieces: Pieces, inbox: Inbox) -> Tensor:
        """The sum of all devices' parts [rows, hidden], the same bits on each; nobody may write into it."""


class NoSum:
    """One device has all of a layer."""

    @property
    def rooms(self) -> Mapping[Key, Room]:
        """Nobody sends anything."""
        return {}

    def total(self, part: Tensor, half: int, pieces: Pieces, inbox: Inbox) -> Tensor:
        """The part itself."""
        return part


class WholeRows:
    """Every device has the hidden states of all rows, and a part of each layer."""

    def __init__(self, num_rows: int, num_places: int, total: Sum) -> None:
        self._sum = total
        self.known: Sequence[Span] = (Span(0, num_rows),) * num_places
        """All rows, on each."""

    @property
    def rooms(self) -> Mapping[Key, Room]:
        """The parts of sums."""
        return self._sum.rooms

    def run(self, tokens: Tensor, pieces: Pieces, inbox: Inbox) -> Tensor:
        """Hidden states behind the last layer."""
        return through_layers(pieces.embedding(tokens, Span(0, len(tokens))), self._sum, pieces, inbox)


def through_layers(
    hidden: Float[Tensor, "rows hidden"], total: Sum, pieces: Pieces, inbox: Inbox
) -> Float[Tensor, "rows hidden"]:
    """The hidden states behind the layers of a device, from those before them."""
    layers = pieces.station.part.layers
    entries = pieces.entries(hidden, layers.begin)
    for half in layers.times(HALVES_PER_LAYER):
        part = pieces.part(entries, half)
        hidden, entries = pieces.connected(total.total(part, half, pieces, inbox), hidden, half)
    return hidden

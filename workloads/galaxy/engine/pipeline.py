"""Layers one after the other on several devices: each sends hidden states to the next."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from workloads.galaxy.engine.desk import Key, Room
from workloads.galaxy.engine.inbox import Inbox
from workloads.galaxy.engine.message import Kind
from workloads.galaxy.engine.pieces import Pieces
from workloads.galaxy.engine.station import Station
from workloads.galaxy.engine.whole_rows import NoSum, through_layers
from workloads.transformer.split import Span
from workloads.transport.host_bytes import bytes_of


class Pipeline:
    """One stage, for passes of one number of rows."""

    def __init__(self, station: Station, num_rows: int) -> None:
        num = station.num_places
        self._station = station
        self._num_rows = num_rows
        self._arriving = station.codec.room(num_rows, station.architecture.hidden_size)
        self.known: Sequence[Span] = (*(Span(0, 0),) * (num - 1), Span(0, num_rows))
        """Only the last stage knows them."""

    @property
    def rooms(self) -> Mapping[Key, Room]:
        """Hidden states of the stage before."""
        if not self._station.position:
            return {}
        return {(Kind.STATES, 0, self._station.position): Room(bytes_of(self._arriving), None)}

    def run(self, tokens: Tensor, pieces: Pieces, inbox: Inbox) -> Tensor:
        """Hidden states behind the last layer, on the last stage; no rows on others."""
        station, hidden_size = self._station, self._station.architecture.hidden_size
        coding_ns = station.times.coding_ns(self._num_rows)
        if station.position:
            inbox.take(Kind.STATES, 0, station.position)
            hidden = station.decoded(self._arriving, self._num_rows, hidden_size, coding_ns)
        else:
            hidden = pieces.embedding(tokens, Span(0, len(tokens)))
        hidden = through_layers(hidden, NoSum(), pieces, inbox)
        if station.position == station.num_places - 1:
            return hidden
        behind = station.position + 1
        station.send(behind, Kind.STATES, 0, behind, station.encoded(hidden, coding_ns))
        return hidden[:0]

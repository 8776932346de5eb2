"""A sum of few rows: every device tells all others its part, which takes one delay."""

from collections.abc import Mapping

from torch import Tensor

from workloads.galaxy.engine.desk import Key, Room
from workloads.galaxy.engine.inbox import Inbox
from workloads.galaxy.engine.message import Kind
from workloads.galaxy.engine.pieces import Pieces
from workloads.galaxy.engine.station import Station
from workloads.transport.host_bytes import bytes_of


class DirectSum:
    """Sums of one number of rows."""

    def __init__(self, station: Station, num_rows: int) -> None:
        self._station = station
        hidden = station.architecture.hidden_size
        # A neighbour may be one sum ahead, because it has heard of all others: room for two.
        self._parts = {
            (half, place): station.codec.room(num_rows, hidden)
            for half in range(2)
            for place in station.others
        }

    @property
    def rooms(self) -> Mapping[Key, Room]:
        """The parts of the others."""
        return {(Kind.DIRECT, *key): Room(bytes_of(part), None) for key, part in self._parts.items()}

    def total(self, part: Tensor, half: int, pieces: Pieces, inbox: Inbox) -> Tensor:
        """The sum, in the order of the ring; own rows as the others read them, so that all devices agree."""
        station, (num_rows, num_columns) = self._station, part.shape
        coding_ns = station.times.coding_ns(num_rows)
        coded = station.encoded(part, coding_ns)
        for place in station.others:
            station.send(place, Kind.DIRECT, half, station.position, coded)
        total: Tensor | None = None
        for place in range(station.num_places):
            if place != station.position:
                inbox.take(Kind.DIRECT, half, place)
            raw = coded if place == station.position else self._parts[half % 2, place]
            told = station.decoded(raw, num_rows, num_columns, coding_ns)
            total = told if total is None else _added(total, told, pieces)
        return part if total is None else total


def _added(total: Tensor, told: Tensor, pieces: Pieces) -> Tensor:
    num_rows = told.shape[0]
    return pieces.do(
        lambda: total + told, lambda: pieces.blank(num_rows), pieces.station.times.sum_ns(num_rows)
    )

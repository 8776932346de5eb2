"""Sums as Megatron-LM needs them (Shoeybi et al. 2019, arXiv 1909.08053), by a ring: products wait for them.

A reduce-scatter and an all-gather of even parts of the rows: every device sends 2 (n - 1) / n of them
(Patarasuk and Yuan 2009, doi 10.1016/j.jpdc.2008.09.002).
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from workloads.galaxy.engine.desk import Key, Room
from workloads.galaxy.engine.inbox import Inbox
from workloads.galaxy.engine.message import Kind
from workloads.galaxy.engine.pieces import Pieces
from workloads.galaxy.engine.station import Station
from workloads.galaxy.plan import even_rows
from workloads.transport.host_bytes import bytes_of


class RingSum:
    """Sums of one number of rows, which is more than one."""

    def __init__(self, station: Station, num_rows: int) -> None:
        self._station = station
        self._columns = station.architecture.hidden_size
        self._spans = even_rows(num_rows, station.num_places)
        self._partial = [station.codec.room(len(span), self._columns) for span in self._spans]
        self._gathered = [station.codec.room(len(span), self._columns) for span in self._spans]

    @property
    def rooms(self) -> Mapping[Key, Room]:
        """Partial sums of all rows but those that begin here, and whole sums of all but the own rows."""
        station, num = self._station, self._station.num_places
        rooms: dict[Key, Room] = {}
        for half in range(2):
            for place in range(num):
                gathered = None if station.others[0] == place else station.following
                if place != station.others[-1]:
                    rooms[Kind.PARTIAL, half, place] = Room(bytes_of(self._partial[place]), None)
                if place != station.position:
                    rooms[Kind.GATHERED, half, place] = Room(bytes_of(self._gathered[place]), gathered)
        return rooms

    def total(self, part: Tensor, half: int, pieces: Pieces, inbox: Inbox) -> Tensor:
        """The sum, in the order of the ring; own rows as the others read them, so that all devices agree."""
        station = self._station
        own: Tensor = part
        # Those of the device before go first, because they are the longest on their way; own ones come last.
        for place in (*reversed(station.others), station.position):
            total = self._summed(part, place, half, pieces, inbox)
            own = station.encoded(total, self._coding_ns(place))
            self._send(own, Kind.GATHERED if place == station.position else Kind.PARTIAL, half, place)
        return self._gathered_rows(own, half, pieces, inbox)

    def _summed(self, part: Tensor, place: int, half: int, pieces: Pieces, inbox: Inbox) -> Tensor:
        """The sum of some rows up to this device."""
        station, span = self._station, self._spans[place]
        rows = part[span.begin : span.end]
        if place == station.others[-1] or not len(span):
            return rows
        inbox.take(Kind.PARTIAL, half, place)
        before = station.decoded(self._partial[place], len(span), self._columns, self._coding_ns(place))
        # Not in place: own rows are read once more, when the next half may write there already.
        return pieces.do(
            lambda: before + rows, lambda: pieces.blank(len(span)), station.times.sum_ns(len(span))
        )

    def _gathered_rows(self, own: Tensor, half: int, pieces: Pieces, inbox: Inbox) -> Tensor:
        station, read = self._station, []
        for place, span in enumerate(self._spans):
            if place != station.position and len(span):
                inbox.take(Kind.GATHERED, half, place)
            raw = own if place == station.position else self._gathered[place]
            if len(span):
                read.append(station.decoded(raw, len(span), self._columns, self._coding_ns(place)))
        return pieces.do(lambda: torch.cat(read), lambda: pieces.blank(self._spans[-1].end), 0.0)

    def _send(self, coded: Tensor, kind: Kind, half: int, place: int) -> None:
        if len(self._spans[place]):
            self._station.send(self._station.others[0], kind, half, place, coded)

    def _coding_ns(self, place: int) -> float:
        return self._station.times.coding_ns(len(self._spans[place]))

"""What is wanted of a pass, made by the devices that know the rows or have a part of the head.

Hidden states and logits travel as they are, whatever the wire format between layers.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from workloads.galaxy.engine.candidates import best_of, candidates, candidates_room
from workloads.galaxy.engine.desk import Key, Room
from workloads.galaxy.engine.inbox import Inbox
from workloads.galaxy.engine.message import Kind
from workloads.galaxy.engine.pieces import Pieces
from workloads.galaxy.engine.station import Station
from workloads.galaxy.plan import Strategy
from workloads.transformer.layout import Layout
from workloads.transformer.split import Span
from workloads.transformer.want import Want
from workloads.transport.host_bytes import bytes_of


class Answer:
    """The way from the last hidden states to the answer, for one shape of request."""

    def __init__(self, station: Station, want: Want, rows: tuple[int, ...], known: Sequence[Span]) -> None:
        self._station = station
        self._want = want
        self._rows = rows
        self._known = known[station.position]
        self._is_told_all = station.architecture.is_decoder and _shares_head(station)
        # Who knows each wanted row: the first that does, or everybody.
        self._knowers = [_knower(row, known) for row in self._rows]
        self._is_known = all(span == known[0] for span in known)
        self._states = {place: self._rows_room(place) for place in station.others if self._hears_rows(place)}
        self._parts = {place: self._part_room(place) for place in station.others if self._hears_part(place)}

    @property
    def rooms(self) -> Mapping[Key, Room]:
        """What other devices send for the answer."""
        rooms: dict[Key, Room] = {}
        for kind, by_place in ((Kind.ROWS, self._states), (Kind.ANSWER, self._parts)):
            for place, room in by_place.items():
                rooms[kind, 0, place] = Room(bytes_of(room), None)
        return rooms

    def made(self, hidden: Tensor, pieces: Pieces, inbox: Inbox) -> Tensor | None:
        """The answer: next tokens on every device, anything else on the first.

        Raises:
            NotFiniteError: on every device, where logits that a token is chosen by are no finite numbers.
        """
        station = self._station
        own = [self._rows[index] - self._known.begin for index in self._owned(station.position)]
        states = hidden.index_select(0, torch.tensor(own, dtype=torch.int64, device=hidden.device))
        if not station.architecture.is_decoder:
            return self._collected(states, inbox)
        if self._is_told_all and not self._is_known:
            states = self._told_all(states, inbox)
        part = pieces.logits(states) if len(states) else states
        if self._want is Want.NEXT_TOKENS:
            return self._next_tokens(part, inbox)
        return self._collected(part, inbox)

    def _owned(self, place: int) -> list[int]:
        """Which of the wanted rows a device answers for."""
        if self._is_known and self._is_told_all:
            return list(range(len(self._rows)))
        return [index for index, knower in enumerate(self._knowers) if knower == place]

    def _answered(self, place: int) -> list[int]:
        """Which of the wanted rows a device has a part of the answer to."""
        return list(range(len(self._rows))) if self._is_told_all else self._owned(place)

    def _hears_rows(self, place: int) -> bool:
        return self._is_told_all and not self._is_known and bool(self._owned(place))

    def _hears_part(self, place: int) -> bool:
        """Whether this device is told another's part of the answer."""
        is_for_all = self._want is Want.NEXT_TOKENS
        return (is_for_all or not self._station.position) and bool(self._answered(place))

    def _rows_room(self, place: int) -> Tensor:
        size = (len(self._owned(place)), self._station.architecture.hidden_size)
        return torch.zeros(size, dtype=self._station.place.dtype)

    def _part_room(self, place: int) -> Tensor:
        num_rows, station = len(self._answered(place)), self._station
        if self._want is Want.NEXT_TOKENS:
            return candidates_room(num_rows)
        return torch.zeros((num_rows, self._columns(place)), dtype=station.place.dtype)

    def _columns(self, place: int) -> int:
        """How wide a device's part of the answer is."""
        if not self._station.architecture.is_decoder:
            return self._station.architecture.hidden_size
        return len(self._station.plan.parts[place].share.vocabulary)

    def _told_all(self, states: Tensor, inbox: Inbox) -> Tensor:
        """All wanted rows, where each device knew its own only."""
        station = self._station
        if len(states):
            told = states.cpu()
            for place in station.others:
                station.send(place, Kind.ROWS, 0, station.position, told)
        whole = states.new_empty((len(self._rows), states.shape[1]))
        whole[self._owned(station.position)] = states
        for place, room in self._states.items():
            inbox.take(Kind.ROWS, 0, place)
            whole[self._owned(place)] = room.to(whole.device)
        return whole

    def _collected(self, part: Tensor, inbox: Inbox) -> Tensor | None:
        """All parts of the answer, on the first device."""
        station = self._station
        if station.position:
            if len(part):
                station.send(0, Kind.ANSWER, 0, station.position, part.cpu().contiguous())
            return None
        columns = [self._columns(place) for place in range(station.num_places)]
        whole = part.new_empty((len(self._rows), sum(columns) if self._is_told_all else columns[0]))
        begin = 0
        for place, width in enumerate(columns):
            if place in self._parts:
                inbox.take(Kind.ANSWER, 0, place)
            told = part if place == station.position else self._parts.get(place)
            if told is not None and len(told):
                whole[self._answered(place), begin : begin + width] = told.to(whole.device)
            begin += width if self._is_told_all else 0
        return whole

    def _next_tokens(self, part: Tensor, inbox: Inbox) -> Tensor:
        """The most likely token of each row, on all devices."""
        station = self._station
        told = []
        if len(part):
            own = candidates(part, station.part.share.vocabulary.begin)
            told.append((self._answered(station.position), own))
            for place in station.others:
                station.send(place, Kind.ANSWER, 0, station.position, own)
        for place, room in self._parts.items():
            inbox.take(Kind.ANSWER, 0, place)
            told.append((self._answered(place), room))
        return best_of(told, len(self._rows)).to(station.place.device)


def _shares_head(station: Station) -> bool:
    return station.plan.strategy in (Strategy.HYBRID, Strategy.TENSOR)


def _knower(row: int, known: Sequence[Span]) -> int:
    return next(place for place, span in enumerate(known) if span.begin <= row < span.end)


def wanted_places(layout: Layout, want: Want, *, is_decoder: bool) -> tuple[int, ...]:
    """The rows of which something is wanted, in the order of the answer."""
    if want is not Want.ALL_ROWS:
        return layout.last_rows if is_decoder else layout.starts
    spans = zip(layout.starts, layout.lengths, strict=True)
    return tuple(row for start, length in spans for row in range(start, start + length))

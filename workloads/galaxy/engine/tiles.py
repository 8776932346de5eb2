"""The hybrid kind: tiles go around the ring while others are multiplied, in the order of ``schedule``.

Rooms are used anew in each half. No message can come too early: a tile of the next half, or a partial sum of
it, is made of what this device added to the same tile, for which it had read and passed on what was there
before.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from workloads.galaxy.engine.desk import Arrival, Key, Room
from workloads.galaxy.engine.inbox import Inbox
from workloads.galaxy.engine.message import Kind
from workloads.galaxy.engine.pieces import HALVES_PER_LAYER, Pieces
from workloads.galaxy.engine.station import Station
from workloads.galaxy.engine.tile_attention import TileAttention
from workloads.galaxy.schedule import Flow, Job, Progress, Schedule, Work, schedule_of
from workloads.transformer.split import Span
from workloads.transport.host_bytes import bytes_of


class Tiles:
    """One device's passes of one number of rows."""

    def __init__(self, station: Station, num_rows: int, flow: Flow) -> None:
        self.station = station
        self.schedule: Schedule = schedule_of(station.plan, station.position, num_rows, flow)
        self.attention = TileAttention(station, num_rows, self.schedule)
        self.known: Sequence[Span] = station.plan.row_spans(num_rows)
        """The own rows of each."""
        hidden = station.architecture.hidden_size
        self.partial = [station.codec.room(len(tile.rows), hidden) for tile in self.schedule.tiles]
        """Sums that other devices began, of each tile."""
        self.gathered = [station.codec.room(len(tile.rows), hidden) for tile in self.schedule.tiles]
        """Entries of each tile."""

    @property
    def rooms(self) -> Mapping[Key, Room]:
        """Tiles of others, and sums that they began."""
        schedule = self.schedule
        rooms: dict[Key, Room] = {}
        for half in range(2):
            for tile in range(len(schedule.tiles)):
                passed_to = self.station.following if schedule.passes_on(tile) else None
                if not schedule.begins(tile):
                    rooms[Kind.PARTIAL, half, tile] = Room(bytes_of(self.partial[tile]), None)
                if not schedule.is_own(tile):
                    rooms[Kind.GATHERED, half, tile] = Room(bytes_of(self.gathered[tile]), passed_to)
        return rooms

    def run(self, tokens: Tensor, pieces: Pieces, inbox: Inbox) -> Tensor:
        """Hidden states of own rows behind the last layer."""
        return _Running(self, pieces, inbox).run(tokens)


class _Running:
    """One pass."""

    def __init__(self, tiles: Tiles, pieces: Pieces, inbox: Inbox) -> None:
        self._tiles = tiles
        self._station = tiles.station
        self._schedule = tiles.schedule
        self._pieces = pieces
        self._inbox = inbox
        self._num_halves = HALVES_PER_LAYER * tiles.station.architecture.num_layers
        self._progress = Progress(tiles.schedule, self._num_halves)
        self._own_hidden: dict[int, Tensor] = {}
        self._entries: dict[int, Tensor] = {}
        self._parts: dict[int, Tensor] = {}
        tiles.attention.begin()

    def run(self, tokens: Tensor) -> Tensor:
        """Hidden states of own rows behind the last layer."""
        hidden = self._pieces.embedding(tokens, Span(0, len(tokens)))
        entries = self._pieces.entries(hidden, 0)
        for tile, piece in enumerate(self._schedule.tiles):
            self._entries[tile] = entries[piece.rows.begin : piece.rows.end]
            if self._schedule.is_own(tile):
                self._own_hidden[tile] = hidden[piece.rows.begin : piece.rows.end]
        progress, poll = self._progress, self._station.ring.poll
        while progress.num_left:
            while arrival := poll():
                self._arrived(arrival)
            job = progress.take()
            if job is None:
                self._arrived(self._inbox.wait())
            else:
                self._do(job)
        own = list(self._own_hidden.values())
        return torch.cat(own) if own else hidden[:0]

    def _arrived(self, arrival: Arrival) -> None:
        if arrival.kind == Kind.PARTIAL:
            self._progress.partial(arrival.half, arrival.which)
        elif arrival.kind == Kind.GATHERED:
            self._progress.gathered(arrival.half, arrival.which)
        else:
            self._inbox.put(arrival)

    def _do(self, job: Job) -> None:
        layer, half, tile = job.half // HALVES_PER_LAYER, job.half, job.tile
        match job.work:
            case Work.FINISH:
                self._finish(half, tile)
            case Work.EXIT:
                self._parts[tile] = self._part(half, tile)
            case Work.ATTEND:
                self._tiles.attention.attend(layer, self._pieces)
            case Work.ENTER:
                self._tiles.attention.enter(self._taken(half, tile), tile, layer, self._pieces)
        self._progress.done(job)

    def _part(self, half: int, tile: int) -> Tensor:
        """What this device adds to a tile's sum."""
        layer, is_mlp = divmod(half, HALVES_PER_LAYER)
        if is_mlp:
            return self._pieces.mlp(self._taken(half, tile), layer)
        return self._tiles.attention.part(tile, layer, self._pieces)

    def _taken(self, half: int, tile: int) -> Tensor:
        """The entries of a tile."""
        if not half or self._schedule.is_own(tile):
            return self._entries.pop(tile)
        return self._decoded(self._tiles.gathered[tile], tile)

    def _finish(self, half: int, tile: int) -> None:
        total = self._summed(tile)
        if not self._schedule.is_own(tile):
            self._send(Kind.PARTIAL, half, tile, total)
            return
        hidden, entries = self._pieces.connected(total, self._own_hidden[tile], half)
        self._own_hidden[tile], self._entries[tile] = hidden, entries
        if half + 1 < self._num_halves:
            if self._station.num_places > 1:
                self._send(Kind.GATHERED, half + 1, tile, entries)
            self._progress.gathered(half + 1, tile)

    def _summed(self, tile: int) -> Tensor:
        part = self._parts.pop(tile)
        if self._schedule.begins(tile):
            return part
        before, num_rows = self._decoded(self._tiles.partial[tile], tile), part.shape[0]
        return self._pieces.do(
            lambda: before.add_(part),
            lambda: self._pieces.blank(num_rows),
            self._station.times.sum_ns(num_rows),
        )

    def _send(self, kind: Kind, half: int, tile: int, rows: Tensor) -> None:
        coded = self._station.encoded(rows, self._station.times.coding_ns(rows.shape[0]))
        self._station.send(self._station.others[0], kind, half, tile, coded)

    def _decoded(self, raw: Tensor, tile: int) -> Tensor:
        num_rows = len(self._schedule.tiles[tile].rows)
        hidden_size = self._station.architecture.hidden_size
        return self._station.decoded(raw, num_rows, hidden_size, self._station.times.coding_ns(num_rows))

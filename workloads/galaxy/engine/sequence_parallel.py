"""Rows are shared: every device has all weights; keys and values of all rows go around the ring in a layer.

They go tile by tile: a tile of own rows goes through a whole layer and enters the next; its keys and values
of that are on their way while the next tile is worked on. A device with rows makes none of a layer before it
has read those of all others of the layer before: no neighbour is ahead by two layers, and room for two is
enough.

Rows of a decoder see none behind them: where no keys are kept for later passes, they go **one way**, to the
places behind. The first place then waits for nobody and may be ahead by all layers; what it sends travels
while others compute. Each layer has room of its own for that, and also where a device has no rows, since
nobody waits for it.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from workloads.galaxy.engine.desk import Key, Room
from workloads.galaxy.engine.inbox import Inbox
from workloads.galaxy.engine.message import Kind
from workloads.galaxy.engine.pieces import HALVES_PER_LAYER, Pieces
from workloads.galaxy.engine.sequence_attention import own_runs
from workloads.galaxy.engine.station import Station
from workloads.galaxy.schedule import Tile
from workloads.transformer.attention import attended_tile
from workloads.transformer.block import entry_heads, output_part
from workloads.transformer.split import Span
from workloads.transport.host_bytes import bytes_of


class OwnRows:
    """One device's passes of one number of rows; ``is_one_way``: keys and values go to later places only."""

    def __init__(self, station: Station, num_rows: int, *, is_one_way: bool) -> None:
        self.station = station
        self.num_rows = num_rows
        self.known: Sequence[Span] = station.plan.row_spans(num_rows)
        """The own rows of each."""
        self.tiles = [
            Tile(owner=owner, rows=rows)
            for owner, own in enumerate(self.known)
            for rows in station.plan.tiles(own)
        ]
        self.columns = 2 * station.architecture.kv_size
        self.coming = tuple(
            tile
            for tile, piece in enumerate(self.tiles)
            if piece.owner != station.position and not (is_one_way and piece.owner > station.position)
        )
        """Tiles of others whose keys and values come here."""
        self._is_one_way = is_one_way
        is_ahead = is_one_way or not all(len(span) for span in self.known)
        self._num_pairs = -(-len(station.part.layers) // 2) if is_ahead else 1
        """Of layers that have room of their own: a message tells whether its layer is an even one."""
        self._arriving = {
            (layer, tile): station.codec.room(len(self.tiles[tile].rows), self.columns)
            for layer in range(2 * self._num_pairs)
            for tile in self.coming
        }

    @property
    def own(self) -> Span:
        """The rows of this device."""
        return self.known[self.station.position]

    @property
    def rooms(self) -> Mapping[Key, Room]:
        """Keys and values of other rows."""
        return {
            (Kind.GATHERED, layer % 2, self.index(layer, tile)): Room(bytes_of(room), self._passed_to(tile))
            for (layer, tile), room in self._arriving.items()
        }

    @property
    def has_readers(self) -> bool:
        """Whether the next device needs what this one makes."""
        return self.station.num_places > 1 and not (self._is_one_way and self._is_last)

    def index(self, layer: int, tile: int) -> int:
        """The number of a tile in messages."""
        return layer // 2 % self._num_pairs * len(self.tiles) + tile

    def arrived(self, layer: int, tile: int) -> Tensor:
        """Where the keys and values of a tile came in."""
        return self._arriving[layer % (2 * self._num_pairs), tile]

    def _passed_to(self, tile: int) -> int | None:
        following = 0 if self._is_last else self.station.position + 1
        is_at_end = self._is_last if self._is_one_way else self.tiles[tile].owner == following
        return None if is_at_end else self.station.following

    @property
    def _is_last(self) -> bool:
        return self.station.position == self.station.num_places - 1

    def run(self, tokens: Tensor, pieces: Pieces, inbox: Inbox) -> Tensor:
        """Hidden states of own rows behind the last layer."""
        return _Passing(self, pieces, inbox).run(tokens)


class _Passing:
    """One pass."""

    def __init__(self, rows: OwnRows, pieces: Pieces, inbox: Inbox) -> None:
        station = rows.station
        self._rows = rows
        self._station = station
        self._pieces = pieces
        self._inbox = inbox
        self._own = {
            tile: piece.rows for tile, piece in enumerate(rows.tiles) if piece.owner == station.position
        }
        is_decoder = station.architecture.is_decoder
        self._runs = {
            tile: tuple(own_runs(pieces.layout, span, station.place, is_decoder=is_decoder))
            for tile, span in self._own.items()
        }
        self._queries: dict[int, Tensor] = {}
        self._kept: list[tuple[Tensor, Tensor]] = []
        place, width = station.place, station.architecture.head_size
        # Of two layers: tiles enter the next while others still attend in this one.
        size = (2, 2, rows.num_rows, station.architecture.num_kv_heads, width)
        self._keys_values = torch.empty(
            size if station.arithmetic.computes else 0, dtype=place.dtype, device=place.device
        )

    def run(self, tokens: Tensor) -> Tensor:
        """Hidden states of own rows behind the last layer."""
        own, layers = self._rows.own, self._station.part.layers
        hidden = self._pieces.embedding(tokens[own.begin : own.end], own)
        entries = self._pieces.entries(hidden, layers.begin)
        states = {}
        for tile, span in self._own.items():
            rows = slice(span.begin - own.begin, span.end - own.begin)
            states[tile] = hidden[rows]
            self._enter(entries[rows], tile, layers.begin)
        for layer in layers:
            self._read(layer)
            for tile in self._own:
                states[tile] = self._through(states[tile], tile, layer)
        return torch.cat(list(states.values())) if states else hidden[:0]

    def _through(self, hidden: Tensor, tile: int, layer: int) -> Tensor:
        """The hidden states of a tile behind a layer; its keys and values of the next are on their way."""
        pieces = self._pieces
        hidden, entries = pieces.connected(self._attention(tile, layer), hidden, HALVES_PER_LAYER * layer)
        hidden, entries = pieces.connected(pieces.mlp(entries, layer), hidden, HALVES_PER_LAYER * layer + 1)
        if layer + 1 in self._station.part.layers:
            self._enter(entries, tile, layer + 1)
        return hidden

    def _attention(self, tile: int, layer: int) -> Tensor:
        """What attention adds to a tile."""
        times, num_rows = self._station.times, len(self._own[tile])
        pairs = sum(run.num_pairs for run in self._runs[tile])
        return self._pieces.do(
            lambda: self._attended(tile, layer),
            lambda: self._pieces.blank(num_rows),
            times.attention_ns(pairs) + times.output_ns(num_rows),
        )

    def _enter(self, entries: Tensor, tile: int, layer: int) -> None:
        """Make the queries of a tile, and send its keys and values on their way to the others."""
        station, rows = self._station, self._own[tile]
        self._queries[tile], told = self._pieces.do(
            lambda: self._entered(entries, rows, layer),
            lambda: (self._pieces.blank(len(rows)), station.blank(len(rows), self._rows.columns)),
            station.times.entry_ns(len(rows)),
        )
        if self._rows.has_readers:
            coded = station.encoded(told, self._coding_ns(len(rows)))
            station.send(station.others[0], Kind.GATHERED, layer, self._rows.index(layer, tile), coded)

    def _entered(self, entries: Tensor, rows: Span, layer: int) -> tuple[Tensor, Tensor]:
        """Queries of a tile, and its keys and values beside each other."""
        station, rotation = self._station, self._pieces.rotation
        queries, keys, values = entry_heads(
            entries,
            station.holding.layer(layer),
            station.architecture,
            num_kv_heads=station.architecture.num_kv_heads,
            rotation=None if rotation is None else rotation.of_rows(rows.begin, rows.end),
        )
        known = self._keys_values[layer % 2]
        known[0, rows.begin : rows.end] = keys
        known[1, rows.begin : rows.end] = values
        return queries, torch.cat((keys.flatten(1), values.flatten(1)), dim=1)

    def _read(self, layer: int) -> None:
        """Keys and values of tiles of others, each when it is here; caches keep all."""
        known = self._keys_values[layer % 2] if self._station.arithmetic.computes else self._keys_values
        for tile in self._rows.coming:
            self._inbox.take(Kind.GATHERED, layer, self._rows.index(layer, tile))
            rows = self._rows.tiles[tile].rows
            raw = self._rows.arrived(layer, tile)
            told = self._station.decoded(raw, len(rows), self._rows.columns, self._coding_ns(len(rows)))
            if self._station.arithmetic.computes:
                both = told.view(len(rows), 2, *known.shape[2:]).transpose(0, 1)
                known[:, rows.begin : rows.end] = both
        if self._station.arithmetic.computes:
            keys, values = known.unbind(0)
            kept = self._pieces.attention.kept
            self._kept = [cache.append(layer, keys[rows], values[rows]) for cache, rows in kept]

    def _attended(self, tile: int, layer: int) -> Tensor:
        """What attention adds to a tile; rows of padding see nothing."""
        own, queries = self._own[tile], self._queries[tile]
        keys, values = self._keys_values[layer % 2].unbind(0)
        seen = keys.new_zeros((len(own), self._station.architecture.attention_size))
        for each in self._runs[tile]:
            held = (keys[each.keys.begin : each.keys.end], values[each.keys.begin : each.keys.end])
            if self._kept:
                held = _first(self._kept[each.sequence], each.num_past + len(each.keys))
            span = slice(each.queries.begin - own.begin, each.queries.end - own.begin)
            seen[span] = attended_tile(queries[span], *held, each.run)
        return output_part(seen, self._station.holding.layer(layer))

    def _coding_ns(self, num_rows: int) -> float:
        """Of keys and values, which are other than hidden states in their number."""
        hidden_size = self._station.architecture.hidden_size
        return self._station.times.coding_ns(num_rows) * self._rows.columns / hidden_size


def _first(kept: tuple[Tensor, Tensor], num_tokens: int) -> tuple[Tensor, Tensor]:
    """Keys and values [tokens, heads, size] of the first tokens of a cache."""
    keys, values = kept
    return keys[:, :num_tokens].transpose(0, 1), values[:, :num_tokens].transpose(0, 1)

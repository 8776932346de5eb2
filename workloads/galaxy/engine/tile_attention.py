"""Attention of one device's heads where rows come and go tile by tile."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from workloads.galaxy.engine.pieces import Pieces
from workloads.galaxy.engine.station import Station
from workloads.galaxy.schedule import Flow, Schedule
from workloads.transformer.attention import attended, attended_tile
from workloads.transformer.block import entry_heads, output_part
from workloads.transformer.runs import tile_run
from workloads.transformer.split import Span


@dataclass(slots=True, kw_only=True)
class _Layer:
    """What has entered one layer."""

    heads: Float[Tensor, "rows heads size"] | None
    """Queries, then keys, then values; None where nothing is computed."""
    num_entered: int = 0
    num_left: int = 0
    attended: Float[Tensor, "rows columns"] | None = None


class TileAttention:
    """Passes of one number of rows.

    Tiles of a decoder may be in different layers at the same time: each layer has its own heads until all
    rows have left it.
    """

    def __init__(self, station: Station, num_rows: int, schedule: Schedule) -> None:
        self._station = station
        self._num_rows = num_rows
        self._schedule = schedule
        share, architecture = station.part.share, station.architecture
        self._num_kv_heads = len(share.kv_heads)
        self._num_queried = self._num_kv_heads * architecture.heads_per_kv
        self._layers: dict[int, _Layer] = {}
        self._spare: list[Tensor] = []
        self._runs = [
            tile_run(tile.rows.begin, tile.rows.end, station.place, is_decoder=architecture.is_decoder)
            for tile in schedule.tiles
            if schedule.flow is not Flow.WHOLE
        ]

    def begin(self) -> None:
        """A pass begins: what another one may have left half done is forgotten."""
        self._layers.clear()

    def enter(self, entries: Float[Tensor, "tile hidden"], tile: int, layer: int, pieces: Pieces) -> None:
        """Queries, keys and values of a tile."""
        state = self._layers.get(layer)
        if state is None:
            state = self._layers[layer] = _Layer(heads=self._room())
        rows = self._schedule.tiles[tile].rows
        pieces.do(
            lambda: self._enter(state, entries, rows, layer, pieces),
            lambda: None,
            self._station.times.entry_ns(len(rows)),
        )
        state.num_entered += 1
        if state.num_entered == len(self._schedule.tiles) and state.heads is not None:
            self._keep(state.heads, layer, pieces)

    def attend(self, layer: int, pieces: Pieces) -> None:
        """Attention of all rows at once."""
        state = self._layers[layer]
        state.attended = pieces.do(
            lambda: attended(*self._split(state.heads, self._num_rows), layer, pieces.attention),
            lambda: None,
            self._station.times.attention_ns(pieces.num_pairs),
        )

    def part(self, tile: int, layer: int, pieces: Pieces) -> Float[Tensor, "tile hidden"]:
        """What this device's heads add to the sum of a tile."""
        state, rows = self._layers[layer], self._schedule.tiles[tile].rows
        part = pieces.do(
            lambda: self._part(state, tile, layer),
            lambda: pieces.blank(len(rows)),
            self._station.times.attention_ns(self._num_pairs(rows))
            + self._station.times.output_ns(len(rows)),
        )
        state.num_left += 1
        if state.num_left == len(self._schedule.tiles):
            del self._layers[layer]
            if state.heads is not None:
                self._spare.append(state.heads)
        return part

    def _room(self) -> Tensor | None:
        if not self._station.arithmetic.computes:
            return None
        if self._spare:
            return self._spare.pop()
        num_heads, size = self._num_queried + 2 * self._num_kv_heads, self._station.architecture.head_size
        place = self._station.place
        return torch.empty((self._num_rows, num_heads, size), dtype=place.dtype, device=place.device)

    def _enter(self, state: _Layer, entries: Tensor, rows: Span, layer: int, pieces: Pieces) -> None:
        station, rotation = self._station, pieces.rotation
        made = entry_heads(
            entries,
            station.holding.layer(layer),
            station.architecture,
            num_kv_heads=self._num_kv_heads,
            rotation=None if rotation is None else rotation.of_rows(rows.begin, rows.end),
        )
        if state.heads is not None:
            torch.cat(made, dim=1, out=state.heads[rows.begin : rows.end])

    def _keep(self, heads: Tensor, layer: int, pieces: Pieces) -> None:
        """Let caches have the keys and values; where all rows attend at once, that does it."""
        if self._schedule.flow is not Flow.WHOLE:
            _, keys, values = self._split(heads, self._num_rows)
            for cache, rows in pieces.attention.kept:
                cache.append(layer, keys[rows], values[rows])

    def _part(self, state: _Layer, tile: int, layer: int) -> Tensor:
        rows = self._schedule.tiles[tile].rows
        if state.attended is not None:
            seen = state.attended[rows.begin : rows.end]
        else:
            is_causal = self._schedule.flow is Flow.CAUSAL
            queries, keys, values = self._split(state.heads, rows.end if is_causal else self._num_rows)
            seen = attended_tile(queries[rows.begin : rows.end], keys, values, self._runs[tile])
        return output_part(seen, self._station.holding.layer(layer))

    def _split(self, heads: Tensor | None, num_rows: int) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of the first rows."""
        if heads is None:
            raise ValueError("no heads were computed that could attend")
        queried, keyed = self._num_queried, self._num_queried + self._num_kv_heads
        rows = heads[:num_rows]
        return rows[:, :queried], rows[:, queried:keyed], rows[:, keyed:]

    def _num_pairs(self, rows: Span) -> int:
        match self._schedule.flow:
            case Flow.WHOLE:
                return 0
            case Flow.CAUSAL:
                return len(rows) * rows.end
            case Flow.FULL:
                return len(rows) * self._num_rows

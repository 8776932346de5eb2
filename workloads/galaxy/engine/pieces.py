"""The pieces of work that a device does of a pass, whatever the kind of parallelism: computed, or paced."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from jaxtyping import Float, Int
from torch import Tensor

from workloads.galaxy.engine.station import Station
from workloads.transformer.architecture import Family
from workloads.transformer.attention import AttentionPass, attention_pass
from workloads.transformer.block import BlockPass, attention_part, mlp_part
from workloads.transformer.ends import embedded, logits_part
from workloads.transformer.exchange import Alone
from workloads.transformer.kv_cache import SequenceCache
from workloads.transformer.layout import Layout
from workloads.transformer.norms import normed
from workloads.transformer.positions import Rotation, rotation_of, row_positions
from workloads.transformer.rank_weights import NORM_ATTENTION, NORM_MLP
from workloads.transformer.split import Span

T = TypeVar("T")
HALVES_PER_LAYER = 2


class Pieces:
    """One pass on one device. Halves of layers are numbered through the model: attention 2 i, MLP 2 i + 1."""

    def __init__(self, station: Station, layout: Layout, caches: Sequence[SequenceCache] | None) -> None:
        architecture, place = station.architecture, station.place
        self.station = station
        self.layout = layout
        self.rotation: Rotation | None = None
        self._positions = row_positions(layout, architecture.max_length, place.device)
        if architecture.family is Family.LLAMA and station.arithmetic.computes:
            self.rotation = rotation_of(
                self._positions, architecture.head_size, architecture.rope_theta, place.dtype
            )
        self.attention: AttentionPass = attention_pass(architecture, layout, place, caches or ())

    @property
    def num_pairs(self) -> int:
        """Pairs of a query and a key of all rows."""
        pairs, is_decoder = 0, self.station.architecture.is_decoder
        for new, past in zip(self.layout.lengths, self.layout.past_lengths, strict=True):
            pairs += new * past + (new * (new + 1) // 2 if is_decoder else new * new)
        return pairs

    def do(self, work: Callable[[], T], blank: Callable[[], T], cost_ns: float) -> T:
        """As ``Arithmetic.do``."""
        return self.station.arithmetic.do(work, blank, cost_ns)

    def embedding(self, tokens: Int[Tensor, " rows"], rows: Span) -> Float[Tensor, "rows hidden"]:
        """The hidden states of some rows before the first layer; ``tokens`` of these."""
        station, num_rows = self.station, len(rows)
        positions = self._positions[rows.begin : rows.end]
        return self.do(
            lambda: embedded(tokens, positions, station.holding.ends, station.architecture),
            lambda: self.blank(num_rows),
            station.times.embedding_ns(num_rows),
        )

    def entries(self, hidden: Float[Tensor, "rows hidden"], layer: int) -> Float[Tensor, "rows hidden"]:
        """What goes into the attention of a layer."""
        station, num_rows = self.station, hidden.shape[0]
        if station.architecture.family is Family.BERT:
            return hidden
        return self.do(
            lambda: normed(hidden, station.holding.layer(layer), NORM_ATTENTION, station.architecture),
            lambda: self.blank(num_rows),
            station.times.norm_ns(num_rows),
        )

    def part(self, entries: Float[Tensor, "rows hidden"], half: int) -> Float[Tensor, "rows hidden"]:
        """What this device's heads or columns add to the sum of a half of a layer, of all rows."""
        layer, is_mlp = divmod(half, HALVES_PER_LAYER)
        return self.mlp(entries, layer) if is_mlp else self._attention(entries, layer)

    def mlp(self, entries: Float[Tensor, "rows hidden"], layer: int) -> Float[Tensor, "rows hidden"]:
        """What this device's columns of the MLP add to the sum."""
        station, num_rows = self.station, entries.shape[0]
        return self.do(
            lambda: mlp_part(entries, station.holding.layer(layer), station.architecture),
            lambda: self.blank(num_rows),
            station.times.mlp_ns(num_rows),
        )

    def connected(self, total: Tensor, hidden: Tensor, half: int) -> tuple[Tensor, Tensor]:
        """Hidden states [rows, hidden] behind the sum of a half, and what goes into the next half."""
        num_rows = total.shape[0]
        return self.do(
            lambda: self._connected(total, hidden, half),
            lambda: (self.blank(num_rows), self.blank(num_rows)),
            self.station.times.connective_ns(num_rows),
        )

    def logits(self, hidden: Float[Tensor, "rows hidden"]) -> Float[Tensor, "rows words"]:
        """Logits of this device's part of the vocabulary."""
        station, num_rows = self.station, hidden.shape[0]
        return self.do(
            lambda: logits_part(hidden, station.holding.ends, station.architecture),
            lambda: station.blank(num_rows, len(station.part.share.vocabulary)),
            station.times.head_ns(num_rows),
        )

    def blank(self, num_rows: int) -> Float[Tensor, "rows hidden"]:
        """Hidden states that were not computed."""
        return self.station.blank(num_rows, self.station.architecture.hidden_size)

    def _attention(self, entries: Tensor, layer: int) -> Tensor:
        station, num_rows = self.station, entries.shape[0]
        times = station.times
        common = BlockPass(
            architecture=station.architecture,
            num_kv_heads=len(station.part.share.kv_heads),
            attention=self.attention,
            rotation=self.rotation,
            exchange=Alone(),
        )
        return self.do(
            lambda: attention_part(entries, layer, station.holding.layer(layer), common),
            lambda: self.blank(num_rows),
            times.entry_ns(num_rows) + times.attention_ns(self.num_pairs) + times.output_ns(num_rows),
        )

    def _connected(self, total: Tensor, hidden: Tensor, half: int) -> tuple[Tensor, Tensor]:
        station = self.station
        architecture, holding = station.architecture, station.holding
        layer, is_mlp = divmod(half, HALVES_PER_LAYER)
        # Not in place: the sum may lie where it arrived, and be on its way to others.
        added = total + hidden
        if architecture.family is Family.BERT:
            done = normed(added, holding.layer(layer), NORM_MLP if is_mlp else NORM_ATTENTION, architecture)
            return done, done
        if not is_mlp:
            return added, normed(added, holding.layer(layer), NORM_MLP, architecture)
        if layer + 1 in station.part.layers:
            return added, normed(added, holding.layer(layer + 1), NORM_ATTENTION, architecture)
        return added, added

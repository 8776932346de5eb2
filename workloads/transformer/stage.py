"""Some layers of a Transformer on one rank, which may have a part of each only."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from workloads.transformer.architecture import Family, TransformerArchitecture
from workloads.transformer.attention import attention_pass
from workloads.transformer.block import SUMS_PER_LAYER, BlockPass, block
from workloads.transformer.ends import embedded, logits_part, wanted_rows
from workloads.transformer.exchange import TensorExchange
from workloads.transformer.kv_cache import SequenceCache
from workloads.transformer.layer_store import LayerStore, LayerWeights
from workloads.transformer.layout import Layout
from workloads.transformer.pass_check import check_pass
from workloads.transformer.place import Place
from workloads.transformer.positions import rotation_of, row_positions
from workloads.transformer.split import Span, TensorShare
from workloads.transformer.want import Want


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Neighbouring layers, with the embedding before the model's first and the head behind its last."""

    architecture: TransformerArchitecture
    layers: Span
    share: TensorShare
    store: LayerStore
    ends: LayerWeights
    """As ``loading.load_ends`` gives them."""
    exchange: TensorExchange
    place: Place

    @property
    def is_first(self) -> bool:
        """Whether it begins with token ids."""
        return self.layers.begin == 0

    @property
    def is_last(self) -> bool:
        """Whether it gives what is wanted of the model."""
        return self.layers.end == self.architecture.num_layers

    @property
    def num_sums(self) -> int:
        """Sums over all ranks that every pass makes, each of [rows, hidden]."""
        return SUMS_PER_LAYER * len(self.layers)

    def forward(
        self, rows: Tensor, layout: Layout, want: Want, caches: Sequence[SequenceCache] | None = None
    ) -> Tensor:
        """Hidden states [rows, hidden] for the next stage; of the last one, what is wanted.

        ``rows`` are token ids [rows] where the stage is the first, else hidden states; they are left as they
        are. ``caches`` of each sequence hold its past, and keep its new tokens. All ranks of the stage call
        this with the same; behind the sums, those of the last stage of a decoder gather logits once.

        Raises:
            RequestError: for what the model cannot do, before anything is computed.
            CacheError: when a cache has no room.
        """
        check_pass(self.architecture, rows.shape[0], layout, want, caches)
        common, hidden = self._begun(rows, layout, caches)
        for index in self.layers:
            with self.store.layer(index) as weights:
                hidden = block(hidden, index, weights, common)
        result = self._finished(hidden, layout, want) if self.is_last else hidden
        for cache, length in zip(caches or (), layout.lengths, strict=bool(caches)):
            cache.advance(length)
        return result

    def _begun(
        self, rows: Tensor, layout: Layout, caches: Sequence[SequenceCache] | None
    ) -> tuple[BlockPass, Tensor]:
        architecture, place = self.architecture, self.place
        positions = row_positions(layout, architecture.max_length, place.device)
        rotation = None
        if architecture.family is Family.LLAMA:
            rotation = rotation_of(positions, architecture.head_size, architecture.rope_theta, place.dtype)
        common = BlockPass(
            architecture=architecture,
            num_kv_heads=len(self.share.kv_heads),
            attention=attention_pass(architecture, layout, place, caches or ()),
            rotation=rotation,
            exchange=self.exchange,
        )
        return common, embedded(rows, positions, self.ends, architecture) if self.is_first else rows

    def _finished(self, hidden: Tensor, layout: Layout, want: Want) -> Tensor:
        architecture = self.architecture
        hidden = wanted_rows(hidden, layout, want, is_decoder=architecture.is_decoder)
        if not architecture.is_decoder:
            return hidden
        part = logits_part(hidden, self.ends, architecture)
        logits = self.exchange.gather(part, self.share.vocabulary_sizes)
        return _greatest(logits) if want is Want.NEXT_TOKENS else logits


def _greatest(logits: Tensor) -> Tensor:
    """The place of the greatest logit of each row.

    Raises:
        ArithmeticError: where it is no finite number: what overflowed predicts nothing.
    """
    places = logits.argmax(dim=-1)  # NaN and infinity count as the greatest
    if not logits.gather(-1, places[:, None]).isfinite().all():
        raise ArithmeticError(f"logits of {logits.dtype} are not finite; use a dtype with more range.")
    return places

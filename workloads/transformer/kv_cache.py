"""Keys and values of tokens that were seen, kept for those that follow."""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.layout import Layout
from workloads.transformer.place import Place
from workloads.transformer.split import Span, TensorShare

BLOCK = 64
"""Caches have room for a multiple of so many tokens: moving them into more room that often costs a few
percent of reading them for every token."""


class CacheError(RuntimeError):
    """Keys and values that cannot be kept, or are not there; the message names the sequence."""


class SequenceCache:
    """Keys and values of one sequence in the layers of one stage, for a rank's heads."""

    def __init__(
        self,
        architecture: TransformerArchitecture,
        layers: Span,
        share: TensorShare,
        place: Place,
        capacity: int,
    ) -> None:
        self._layers = layers
        self._length = 0
        shape = (2, len(share.kv_heads), capacity, architecture.head_size)
        self._tensors = [torch.empty(shape, dtype=place.dtype, device=place.device) for _ in layers]

    @property
    def length(self) -> int:
        """Tokens that it holds in every layer."""
        return self._length

    @property
    def capacity(self) -> int:
        """Tokens that it has room for."""
        return self._tensors[0].shape[2]

    def append(
        self, layer: int, keys: Float[Tensor, "new heads size"], values: Float[Tensor, "new heads size"]
    ) -> tuple[Float[Tensor, "heads tokens size"], Float[Tensor, "heads tokens size"]]:
        """All keys and all values of a layer (its number in the model), the new ones last.

        They count as held only when ``advance`` was called, after the last layer: a pass that fails before
        can be made again.

        Raises:
            CacheError: when there is no room for them.
        """
        end = self._length + keys.shape[0]
        held = self._tensors[layer - self._layers.begin]
        if end > held.shape[2]:
            raise CacheError(f"a cache has room for {self.capacity} tokens, not for {end}.")
        all_keys, all_values = held.narrow(2, 0, end).unbind(0)
        all_keys[:, self._length :].copy_(keys.transpose(0, 1))
        all_values[:, self._length :].copy_(values.transpose(0, 1))
        return all_keys, all_values

    def advance(self, num_tokens: int) -> None:
        """So many tokens were appended to every layer."""
        self._length += num_tokens

    def grow(self, capacity: int) -> None:
        """Make room for ``capacity`` tokens, layer by layer, so that only one layer is in memory twice."""
        for index, held in enumerate(self._tensors):
            grown = held.new_empty((2, held.shape[1], capacity, held.shape[3]))
            grown[:, :, : self._length].copy_(held[:, :, : self._length])
            self._tensors[index] = grown


def bytes_per_token(
    architecture: TransformerArchitecture, layers: Span, share: TensorShare, place: Place
) -> int:
    """Memory of the keys and values of one token in the layers of one stage, for a rank's heads."""
    return 2 * len(layers) * len(share.kv_heads) * architecture.head_size * place.dtype.itemsize


class CachePool:
    """The caches of one rank by the names of their sequences, within a budget of memory."""

    def __init__(
        self,
        budget_bytes: int,
        architecture: TransformerArchitecture,
        layers: Span,
        share: TensorShare,
        place: Place,
    ) -> None:
        self._budget_bytes = budget_bytes
        self._architecture = architecture
        self._layers = layers
        self._share = share
        self._place = place
        self._caches: dict[int, SequenceCache] = {}
        self._bytes_per_token = bytes_per_token(architecture, layers, share, place)

    @property
    def used_bytes(self) -> int:
        """Memory of all caches."""
        return sum(cache.capacity for cache in self._caches.values()) * self._bytes_per_token

    @property
    def num_sequences(self) -> int:
        """How many sequences have a cache."""
        return len(self._caches)

    def prepare(self, sequence_ids: Sequence[int], layout: Layout) -> list[SequenceCache]:
        """The cache of each sequence of a pass, with room for its new tokens.

        A sequence without past begins anew, whatever was kept under its name.

        Raises:
            CacheError: when one is not there as the layout says, or does not fit in; others may have grown.
        """
        if len(sequence_ids) != layout.num_sequences or len(set(sequence_ids)) != len(sequence_ids):
            raise CacheError(
                f"{layout.num_sequences} sequences need as many names, each once; got {list(sequence_ids)}."
            )
        tokens = zip(sequence_ids, layout.past_lengths, layout.lengths, strict=True)
        return [self._prepared(sequence_id, past, past + new) for sequence_id, past, new in tokens]

    def release(self, sequence_ids: Iterable[int]) -> None:
        """Drop these sequences; unknown ones are ignored."""
        for sequence_id in sequence_ids:
            self._caches.pop(sequence_id, None)

    def _prepared(self, sequence_id: int, past: int, length: int) -> SequenceCache:
        if not past:
            self.release([sequence_id])
        held = self._caches.get(sequence_id)
        if past and (held is None or held.length != past):
            found = "is not kept" if held is None else f"has {held.length} tokens in its cache"
            raise CacheError(
                f"sequence {sequence_id} {found}, where {past} are needed; send it from its start."
            )
        if held is not None and length <= held.capacity:
            return held
        capacity = self._affordable(sequence_id, 0 if held is None else held.capacity, length)
        if held is None:
            held = SequenceCache(self._architecture, self._layers, self._share, self._place, capacity)
            self._caches[sequence_id] = held
        else:
            held.grow(capacity)
        return held

    def _affordable(self, sequence_id: int, capacity: int, length: int) -> int:
        """The room that a cache of ``capacity`` gets for ``length`` tokens."""
        free = (self._budget_bytes - self.used_bytes) // self._bytes_per_token + capacity
        if length > free:
            raise CacheError(
                f"the cache of sequence {sequence_id} needs room for {length} tokens "
                f"({length * self._bytes_per_token} bytes), but {max(0, free)} are left of "
                f"{self._budget_bytes} bytes; release sequences or give caches more memory."
            )
        return min(-(-length // BLOCK) * BLOCK, max(length, self._architecture.max_length), free)

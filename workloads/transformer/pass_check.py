"""What a model cannot do of what is asked of one forward pass; arithmetic only, but for the caches."""

from collections.abc import Sequence

from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.errors import RequestError
from workloads.transformer.kv_cache import CacheError, SequenceCache
from workloads.transformer.layout import Layout
from workloads.transformer.want import Want


def check_pass(
    architecture: TransformerArchitecture,
    num_rows: int,
    layout: Layout,
    want: Want,
    caches: Sequence[SequenceCache] | None,
) -> None:
    """Do nothing for what the model can do; token ids are checked where a request is taken.

    Raises:
        RequestError: otherwise, with what would do.
    """
    most = architecture.max_length
    lengths = [past + new for past, new in zip(layout.past_lengths, layout.lengths, strict=True)]
    if max(lengths) > most or min(layout.lengths) < 1:
        raise RequestError(
            f"sequences have {min(layout.lengths)} to {max(lengths)} tokens; the model takes 1 to {most}."
        )
    if max(layout.lengths) > (layout.padded_to or most) or num_rows != layout.num_rows:
        raise RequestError(
            f"{num_rows} rows are no sequences of {list(layout.lengths)} tokens padded to "
            f"{layout.padded_to}; give {layout.num_rows}."
        )
    if not architecture.is_decoder and (caches or want is Want.NEXT_TOKENS):
        raise RequestError("an encoder generates nothing; ask it for all_rows or last_rows, without caches.")
    held = tuple(cache.length for cache in caches) if caches else (0,) * layout.num_sequences
    if held != layout.past_lengths:
        raise RequestError(
            f"caches hold {list(held)} tokens, but the sequences have {list(layout.past_lengths)} before."
        )


def check_room(layout: Layout, caches: Sequence[SequenceCache]) -> None:
    """Do nothing where caches have room for the new tokens of their sequences.

    Raises:
        CacheError: otherwise.
    """
    for cache, length in zip(caches, layout.lengths, strict=bool(caches)):
        if cache.length + length > cache.capacity:
            raise CacheError(
                f"a cache has room for {cache.capacity} tokens, not for {cache.length + length}."
            )

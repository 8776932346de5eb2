"""Batches of unequal lengths, and how much faster they can at best be computed without their padding."""

from collections.abc import Sequence

from workloads.transformer.architecture import TransformerArchitecture

MIXES: dict[str, tuple[int, ...]] = {
    "half of 128": (64,) * 7 + (128,),
    "half of 256": (128,) * 7 + (256,),
    "mixed": (20, 40, 60, 256, 120, 180, 30, 80),
    "one long": (512, 100, 60, 40),
}
"""Lengths of the sequences of a batch, each padded to the longest where padding is not removed."""


def valid_fraction(lengths: Sequence[int]) -> float:
    """Tokens over rows of the padded batch."""
    return sum(lengths) / (len(lengths) * max(lengths))


def flop_limit(architecture: TransformerArchitecture, lengths: Sequence[int]) -> float:
    """FLOPs of the padded batch over those of its tokens: no removal of padding can gain more."""
    padded = [max(lengths)] * len(lengths)
    return layers_flops(architecture, padded, padded) / layers_flops(architecture, lengths, lengths)


def repadded_limit(architecture: TransformerArchitecture, lengths: Sequence[int]) -> float:
    """The same where padding is put back around attention, as EnergonAI and FasterTransformer do."""
    padded = [max(lengths)] * len(lengths)
    return layers_flops(architecture, padded, padded) / layers_flops(architecture, lengths, padded)


def layers_flops(
    architecture: TransformerArchitecture, in_products: Sequence[int], in_attention: Sequence[int]
) -> int:
    """FLOPs of all layers for sequences of these lengths in products of weights, and in attention.

    A token costs 2 FLOPs a weight, a pair of tokens 4 for each column of the queries: 24 h^2 and 4 h for MLPs
    of 4 h columns. Tokens of a decoder make pairs with those before them only, padded or not.
    """
    hidden = architecture.hidden_size
    attention = 2 * architecture.attention_size + 2 * architecture.kv_size
    weights = hidden * (attention + (3 if architecture.has_gate else 2) * architecture.ffn_size)
    squares = sum(length * length for length in in_attention)
    pairs = (squares + sum(in_attention)) // 2 if architecture.is_decoder else squares
    layer = 2 * weights * sum(in_products) + 4 * architecture.attention_size * pairs
    return architecture.num_layers * layer

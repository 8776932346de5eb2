"""Transformers of any size: what is open is as in the family's first published model; arithmetic only."""

from collections.abc import Mapping
from dataclasses import dataclass

from augment.problem import ProblemError
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture

LEAST_CONTEXT = 2048
"""Positions of a model that nobody asks for more: OPT's context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What all sizes of a family have in common."""

    family: Family
    activation: Activation
    norm_epsilon: float
    vocab_size: int
    is_head_tied: bool = True


KINDS: Mapping[str, _Kind] = {
    str(kind.family): kind
    for kind in (
        _Kind(
            family=Family.GPT2, activation=Activation.GELU_TANH, norm_epsilon=1e-5, vocab_size=50_257
        ),  # openai-community/gpt2
        _Kind(
            family=Family.OPT, activation=Activation.RELU, norm_epsilon=1e-5, vocab_size=50_272
        ),  # facebook/opt-125m
        _Kind(
            family=Family.LLAMA,
            activation=Activation.SILU,
            norm_epsilon=1e-5,
            vocab_size=32_000,
            is_head_tied=False,
        ),  # meta-llama/Llama-2-7b-hf
        _Kind(
            family=Family.BERT, activation=Activation.GELU, norm_epsilon=1e-12, vocab_size=30_522
        ),  # google-bert/bert-base-uncased
    )
}
"""Every family by its name, with the values of the model that its comment names."""
_GATED_MULTIPLE = 256
"""LLaMA rounds the columns of its MLP, 2/3 of 4 x hidden, up to a multiple of this (its ``multiple_of``)."""


def sized(family: str, numbers: Mapping[str, int], longest: int) -> TransformerArchitecture:
    """The member of a family with these ``layers``, ``hidden``, ``heads``, ``kv_heads``, ``ffn``, ``vocab``.

    A number of 0 is left to the family. The context holds ``longest`` tokens at least.

    Raises:
        ProblemError: for an unknown family, or heads that do not divide.
    """
    if family not in KINDS:
        raise ProblemError(f"family {family!r} is unknown; use {', '.join(KINDS)}.")
    kind, hidden, heads = KINDS[family], numbers["hidden"], numbers["heads"]
    if hidden % heads or (kind.family is Family.LLAMA and hidden // heads % 2):
        even = " of an even number of columns" if kind.family is Family.LLAMA else ""
        raise ProblemError(
            f"{hidden} columns of the hidden state cannot be shared by {heads} heads{even}; give a number of "
            "heads that divides hidden."
        )
    return TransformerArchitecture(
        family=kind.family,
        num_layers=numbers["layers"],
        hidden_size=hidden,
        num_heads=heads,
        num_kv_heads=numbers["kv_heads"] or heads,
        head_size=hidden // heads,
        ffn_size=numbers["ffn"] or _ffn_size(kind.family, hidden),
        vocab_size=numbers["vocab"] or kind.vocab_size,
        max_length=max(LEAST_CONTEXT, longest),
        activation=kind.activation,
        norm_epsilon=kind.norm_epsilon,
        is_head_tied=kind.is_head_tied,
    )


def _ffn_size(family: Family, hidden: int) -> int:
    if family is not Family.LLAMA:
        return 4 * hidden
    return -(-(8 * hidden // 3) // _GATED_MULTIPLE) * _GATED_MULTIPLE

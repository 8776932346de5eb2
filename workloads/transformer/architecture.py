"""What a Transformer is: its family and its sizes; arithmetic only."""

from dataclasses import dataclass
from enum import StrEnum

from augment.problem import ProblemError


class Family(StrEnum):
    """The kinds of Transformers that are known, by the names of their configurations."""

    GPT2 = "gpt2"
    """Decoder; learned positions, LayerNorm before each part, biases, tied head (Radford et al. 2019)."""
    OPT = "opt"
    """Decoder; as GPT-2 with ReLU and positions that begin at 2 (Zhang et al. 2022, arXiv 2205.01068)."""
    LLAMA = "llama"
    """Decoder; rotary positions, RMSNorm, gated MLP, grouped keys, values (arXiv 2302.13971, 2307.09288)."""
    BERT = "bert"
    """Encoder; learned positions, LayerNorm after each part, biases (Devlin et al. 2018, 1810.04805)."""


class Activation(StrEnum):
    """The function between the two products of an MLP."""

    GELU = "gelu"
    GELU_TANH = "gelu_tanh"
    RELU = "relu"
    SILU = "silu"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerArchitecture:
    """One Transformer.

    Raises:
        ProblemError: for sizes that do not fit each other, with what would.
    """

    family: Family
    num_layers: int
    hidden_size: int
    num_heads: int
    num_kv_heads: int
    """Heads of keys and values; each serves ``num_heads / num_kv_heads`` heads of queries."""
    head_size: int
    ffn_size: int
    """Columns between the two products of an MLP."""
    vocab_size: int
    max_length: int
    """Most tokens of one sequence, generated ones included."""
    activation: Activation
    norm_epsilon: float
    is_head_tied: bool = True
    """Whether the weights of the embedding are those of the head."""
    rope_theta: float = 10_000.0
    """Base of the wavelengths of rotary positions; other families ignore it."""

    def __post_init__(self) -> None:
        if self.num_heads % self.num_kv_heads:
            raise ProblemError(
                f"{self.num_heads} heads of queries cannot share {self.num_kv_heads} heads of keys and "
                "values; give a number of these that divides the heads of queries."
            )

    @property
    def is_decoder(self) -> bool:
        """Whether a token sees only those before it, and a head predicts the next."""
        return self.family is not Family.BERT

    @property
    def has_gate(self) -> bool:
        """Whether the MLP multiplies its columns by a second product."""
        return self.family is Family.LLAMA

    @property
    def has_biases(self) -> bool:
        """Whether products and norms add a vector."""
        return self.family is not Family.LLAMA

    @property
    def heads_per_kv(self) -> int:
        """Heads of queries that share one head of keys and values."""
        return self.num_heads // self.num_kv_heads

    @property
    def attention_size(self) -> int:
        """Columns of the queries of all heads."""
        return self.num_heads * self.head_size

    @property
    def kv_size(self) -> int:
        """Columns of the keys of all heads, and of the values."""
        return self.num_kv_heads * self.head_size

"""The weights of a Transformer: one name and shape for each, whatever its family; arithmetic only.

All products are kept as [out, in]. Layers are numbered from 0.
"""

from collections.abc import Mapping

from workloads.transformer.architecture import Family, TransformerArchitecture

Shape = tuple[int, ...]
TOKENS = "embedding.tokens"
POSITIONS = "embedding.positions"
"""Learned positions; absent for rotary ones. Row i is that of the i-th token of a sequence."""
TYPES = "embedding.types"
"""Of BERT's two segments; every token belongs to the first."""
EMBEDDING_NORM = "embedding.norm"
FINAL_NORM = "final_norm"
HEAD = "head.weight"
"""Rows of the vocabulary; present also where it is tied to the embedding, with the same values."""


def weight_shapes(architecture: TransformerArchitecture) -> dict[str, Shape]:
    """The name and shape of every weight, in the order in which a token meets them."""
    shapes = _embedding(architecture)
    for layer in range(architecture.num_layers):
        shapes |= {layer_weight(layer, name): shape for name, shape in layer_shapes(architecture).items()}
    if architecture.is_decoder:
        shapes |= _norm(architecture, FINAL_NORM) | {
            HEAD: (architecture.vocab_size, architecture.hidden_size)
        }
    return shapes


def layer_shapes(architecture: TransformerArchitecture) -> dict[str, Shape]:
    """The name, without the layer's, and shape of every weight of one layer."""
    hidden, ffn = architecture.hidden_size, architecture.ffn_size
    queries, keys = architecture.attention_size, architecture.kv_size
    products: Mapping[str, Shape] = {
        "attention.query": (queries, hidden),
        "attention.key": (keys, hidden),
        "attention.value": (keys, hidden),
        "attention.output": (hidden, queries),
        "mlp.up": (ffn, hidden),
        **({"mlp.gate": (ffn, hidden)} if architecture.has_gate else {}),
        "mlp.down": (hidden, ffn),
    }
    shapes: dict[str, Shape] = _norm(architecture, "norm_attention") | _norm(architecture, "norm_mlp")
    for name, shape in products.items():
        shapes[f"{name}.weight"] = shape
        if architecture.has_biases:
            shapes[f"{name}.bias"] = shape[:1]
    return shapes


def layer_weight(layer: int, name: str) -> str:
    """The whole name of a weight of one layer."""
    return f"layer.{layer}.{name}"


def num_parameters(architecture: TransformerArchitecture) -> int:
    """Weights of the model; those of a tied head count once."""
    total = 0
    for name, shape in weight_shapes(architecture).items():
        size = 1
        for length in shape:
            size *= length
        total += 0 if name == HEAD and architecture.is_head_tied else size
    return total


def _embedding(architecture: TransformerArchitecture) -> dict[str, Shape]:
    hidden = architecture.hidden_size
    shapes: dict[str, Shape] = {TOKENS: (architecture.vocab_size, hidden)}
    if architecture.family is not Family.LLAMA:
        shapes[POSITIONS] = (architecture.max_length, hidden)
    if architecture.family is Family.BERT:
        shapes |= {TYPES: (2, hidden)} | _norm(architecture, EMBEDDING_NORM)
    return shapes


def _norm(architecture: TransformerArchitecture, name: str) -> dict[str, Shape]:
    hidden = architecture.hidden_size
    biases: dict[str, Shape] = {f"{name}.bias": (hidden,)} if architecture.has_biases else {}
    return {f"{name}.weight": (hidden,)} | biases

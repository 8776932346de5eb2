"""Where transformers keeps each weight: names, shapes, and what has to be cut or turned; arithmetic only.

Names are those that ``save_pretrained`` writes, without the prefix of the model inside of a task's model.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from workloads.transformer.architecture import Family, TransformerArchitecture
from workloads.transformer.weight_names import (
    EMBEDDING_NORM,
    FINAL_NORM,
    HEAD,
    POSITIONS,
    TOKENS,
    TYPES,
    Shape,
    layer_shapes,
    layer_weight,
    weight_shapes,
)

LM_HEAD = "lm_head.weight"
"""The head of all decoders; it stands beside the model, so that it has no prefix."""

_PREFIXES: Mapping[Family, tuple[str, ...]] = {
    Family.GPT2: ("transformer.", ""),
    Family.OPT: ("model.decoder.", "decoder.", ""),
    Family.LLAMA: ("model.", ""),
    Family.BERT: ("bert.", ""),
}
_ENDS: Mapping[Family, Mapping[str, str]] = {
    Family.GPT2: {TOKENS: "wte.weight", POSITIONS: "wpe.weight", FINAL_NORM: "ln_f"},
    Family.OPT: {
        TOKENS: "embed_tokens.weight",
        POSITIONS: "embed_positions.weight",
        FINAL_NORM: "final_layer_norm",
    },
    Family.LLAMA: {TOKENS: "embed_tokens.weight", FINAL_NORM: "norm"},
    Family.BERT: {
        TOKENS: "embeddings.word_embeddings.weight",
        POSITIONS: "embeddings.position_embeddings.weight",
        TYPES: "embeddings.token_type_embeddings.weight",
        EMBEDDING_NORM: "embeddings.LayerNorm",
    },
}
_LAYERS: Mapping[Family, str] = {
    Family.GPT2: "h.",
    Family.OPT: "layers.",
    Family.LLAMA: "layers.",
    Family.BERT: "encoder.layer.",
}
_PARTS: Mapping[Family, Mapping[str, str]] = {
    Family.GPT2: {
        "norm_attention": "ln_1",
        "norm_mlp": "ln_2",
        "attention.query": "attn.c_attn",
        "attention.key": "attn.c_attn",
        "attention.value": "attn.c_attn",
        "attention.output": "attn.c_proj",
        "mlp.up": "mlp.c_fc",
        "mlp.down": "mlp.c_proj",
    },
    Family.OPT: {
        "norm_attention": "self_attn_layer_norm",
        "norm_mlp": "final_layer_norm",
        "attention.query": "self_attn.q_proj",
        "attention.key": "self_attn.k_proj",
        "attention.value": "self_attn.v_proj",
        "attention.output": "self_attn.out_proj",
        "mlp.up": "fc1",
        "mlp.down": "fc2",
    },
    Family.LLAMA: {
        "norm_attention": "input_layernorm",
        "norm_mlp": "post_attention_layernorm",
        "attention.query": "self_attn.q_proj",
        "attention.key": "self_attn.k_proj",
        "attention.value": "self_attn.v_proj",
        "attention.output": "self_attn.o_proj",
        "mlp.up": "mlp.up_proj",
        "mlp.gate": "mlp.gate_proj",
        "mlp.down": "mlp.down_proj",
    },
    Family.BERT: {
        "norm_attention": "attention.output.LayerNorm",
        "norm_mlp": "output.LayerNorm",
        "attention.query": "attention.self.query",
        "attention.key": "attention.self.key",
        "attention.value": "attention.self.value",
        "attention.output": "attention.output.dense",
        "mlp.up": "intermediate.dense",
        "mlp.down": "output.dense",
    },
}
_IGNORED: Mapping[Family, str] = {
    Family.GPT2: r"(transformer\.)?h\.\d+\.attn\.(masked_)?bias",  # the causal mask
    Family.OPT: r"(model\.)?decoder\.version",
    Family.LLAMA: r"(model\.)?(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq",
    # An encoder's answer is its hidden states: what tasks put behind them is not computed.
    Family.BERT: r"(bert\.)?embeddings\.(position_ids|token_type_ids)|(bert\.)?pooler\.dense\.(weight|bias)"
    r"|(cls|classifier|qa_outputs)\..+",
}
_FUSED = {"attention.query": 0, "attention.key": 1, "attention.value": 2}
"""Order of GPT-2's three products in one tensor."""
_OPT_FIRST_POSITION = 2
"""OPT's table of positions begins with two rows that no token gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWeight:
    """The tensor of a file in which a weight is."""

    name: str
    shape: Shape
    begin: int = 0
    """Where the weight begins along its outputs, in a tensor that holds more."""
    is_transposed: bool = False
    """Whether it is kept as [in, out]."""


def stored_weights(architecture: TransformerArchitecture) -> dict[str, StoredWeight]:
    """The tensor of each weight, by the names of ``weight_names``; names without prefix."""
    family = architecture.family
    shapes = weight_shapes(architecture)
    stored = {}
    for name, kept in _ENDS[family].items():
        for suffix in ("", ".weight", ".bias"):
            if name + suffix in shapes:
                stored[name + suffix] = StoredWeight(name=kept + suffix, shape=shapes[name + suffix])
    if family is Family.OPT:
        rows, columns = shapes[POSITIONS]
        name = stored[POSITIONS].name
        shape = (rows + _OPT_FIRST_POSITION, columns)
        stored[POSITIONS] = StoredWeight(name=name, shape=shape, begin=_OPT_FIRST_POSITION)
    for layer in range(architecture.num_layers):
        for name in layer_shapes(architecture):
            stored[layer_weight(layer, name)] = _of_layer(architecture, layer, name)
    if HEAD in shapes:
        stored[HEAD] = StoredWeight(name=LM_HEAD, shape=shapes[HEAD])
    return stored


def prefix_of(family: Family, names: Collection[str]) -> str:
    """What stands before the names of a model's tensors: that with which there is an embedding."""
    embedding = _ENDS[family][TOKENS]
    prefixes = _PREFIXES[family]
    return next((prefix for prefix in prefixes if prefix + embedding in names), prefixes[0])


def today_name(family: Family, name: str) -> str:
    """The name that transformers gives a tensor today; the first BERTs were written with TensorFlow's."""
    if family is Family.BERT:
        return re.sub(r"LayerNorm\.(gamma|beta)$", lambda found: _TENSORFLOW[found[1]], name)
    return name


def is_ignored(family: Family, name: str) -> bool:
    """Whether a tensor may be there and is not used: buffers, and what stands behind an encoder."""
    return re.fullmatch(_IGNORED[family], name) is not None


_TENSORFLOW = {"gamma": "LayerNorm.weight", "beta": "LayerNorm.bias"}


def _of_layer(architecture: TransformerArchitecture, layer: int, name: str) -> StoredWeight:
    family = architecture.family
    part, kind = name.rsplit(".", 1)
    kept = f"{_LAYERS[family]}{layer}.{_PARTS[family][part]}.{kind}"
    shape = layer_shapes(architecture)[name]
    if family is not Family.GPT2 or part.startswith("norm"):
        return StoredWeight(name=kept, shape=shape)
    num_outputs = shape[0] * (len(_FUSED) if part in _FUSED else 1)
    return StoredWeight(
        name=kept,
        shape=(*reversed(shape[1:]), num_outputs),
        begin=_FUSED.get(part, 0) * shape[0],
        is_transposed=len(shape) > 1,
    )

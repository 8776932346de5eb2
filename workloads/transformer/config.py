"""The ``config.json`` of the library transformers as an architecture; arithmetic only.

Only what is computed exactly is accepted: an entry that would change a result is refused by its name. Absent
entries have the values that transformers 5 gives them, but the sizes of a model must be there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from augment.problem import ProblemError
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.config_entries import MAX_LAYERS, ConfigEntries, shown

_ACTIVATIONS = {
    "gelu": Activation.GELU,
    "gelu_python": Activation.GELU,
    "gelu_new": Activation.GELU_TANH,
    "gelu_pytorch_tanh": Activation.GELU_TANH,
    "gelu_python_tanh": Activation.GELU_TANH,
    "relu": Activation.RELU,
    "silu": Activation.SILU,
    "swish": Activation.SILU,
}
_NEEDED: Mapping[Family, Mapping[str, object]] = {
    Family.GPT2: {
        "add_cross_attention": False,
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "reorder_and_upcast_attn": False,
    },
    Family.OPT: {  # changed by opt-350m and by early fine-tuned checkpoints
        "enable_bias": True,
        "layer_norm_elementwise_affine": True,
        "do_layer_norm_before": True,
        "_remove_final_layer_norm": False,
    },
    Family.LLAMA: {"attention_bias": False, "mlp_bias": False, "partial_rotary_factor": 1.0},
    Family.BERT: {
        "add_cross_attention": False,
        "is_decoder": False,
        "position_embedding_type": "absolute",
        "type_vocab_size": 2,
    },
}
_OPT_EPSILON = 1e-5
"""OPT's configuration has no entry for it: torch's LayerNorm has this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sizes:
    num_layers: int
    hidden_size: int
    num_heads: int
    vocab_size: int
    max_length: int


def architecture_of(config: Mapping[str, object]) -> TransformerArchitecture:
    """The architecture that a ``config.json`` of gpt2, opt, llama or bert describes.

    Raises:
        ProblemError: when it is of another kind, lacks a size, or asks for what cannot be computed exactly;
            all of it at once, by the names of the entries.
    """
    entries = ConfigEntries(config)
    family = _family(entries)
    entries.only("is_encoder_decoder", needed=False)
    entries.empty("quantization_config")
    entries.empty("pruned_heads")
    for name, needed in _NEEDED[family].items():
        entries.only(name, needed)
    sizes = _sizes(entries)
    match family:
        case Family.GPT2:
            return _gpt2(entries, sizes)
        case Family.OPT:
            return _opt(entries, sizes)
        case Family.LLAMA:
            return _llama(entries, sizes)
        case Family.BERT:
            return _bert(entries, sizes)


def _family(entries: ConfigEntries) -> Family:
    name = entries.value("model_type")
    known = {family.value: family for family in Family}
    if not isinstance(name, str) or name not in known:
        found = "missing" if name is None else shown(name)
        raise ProblemError(f"model_type is {found}; what can be computed is {', '.join(sorted(known))}.")
    return known[name]


def _sizes(entries: ConfigEntries) -> _Sizes:
    # The second names are those that GPT-2 uses in files, and accepts the first ones for.
    return _Sizes(
        num_layers=entries.count("num_hidden_layers", "n_layer", at_most=MAX_LAYERS),
        hidden_size=entries.count("hidden_size", "n_embd"),
        num_heads=entries.count("num_attention_heads", "n_head"),
        vocab_size=entries.count("vocab_size"),
        max_length=entries.count("max_position_embeddings", "n_positions"),
    )


def _gpt2(entries: ConfigEntries, sizes: _Sizes) -> TransformerArchitecture:
    return _with_whole_heads(
        entries,
        sizes,
        Family.GPT2,
        ffn_size=entries.count("n_inner", default=4 * sizes.hidden_size),
        activation=_activation(entries, "activation_function", "gelu_new"),
        norm_epsilon=entries.positive("layer_norm_epsilon", 1e-5),
    )


def _opt(entries: ConfigEntries, sizes: _Sizes) -> TransformerArchitecture:
    entries.only("word_embed_proj_dim", sizes.hidden_size)
    return _with_whole_heads(
        entries,
        sizes,
        Family.OPT,
        ffn_size=entries.count("ffn_dim"),
        activation=_activation(entries, "activation_function", "relu"),
        norm_epsilon=_OPT_EPSILON,
    )


def _bert(entries: ConfigEntries, sizes: _Sizes) -> TransformerArchitecture:
    return _with_whole_heads(
        entries,
        sizes,
        Family.BERT,
        ffn_size=entries.count("intermediate_size"),
        activation=_activation(entries, "hidden_act", "gelu"),
        norm_epsilon=entries.positive("layer_norm_eps", 1e-12),
    )


def _with_whole_heads(  # the three families that differ in little
    entries: ConfigEntries,
    sizes: _Sizes,
    family: Family,
    *,
    ffn_size: int,
    activation: Activation,
    norm_epsilon: float,
) -> TransformerArchitecture:
    is_head_tied = entries.flag("tie_word_embeddings", default=True)
    head_size = _head_size(entries, sizes)
    entries.refuse()
    return TransformerArchitecture(
        family=family,
        num_layers=sizes.num_layers,
        hidden_size=sizes.hidden_size,
        num_heads=sizes.num_heads,
        num_kv_heads=sizes.num_heads,
        head_size=head_size,
        ffn_size=ffn_size,
        vocab_size=sizes.vocab_size,
        max_length=sizes.max_length,
        activation=activation,
        norm_epsilon=norm_epsilon,
        is_head_tied=is_head_tied or family is Family.BERT,  # an encoder has no head
    )


def _llama(entries: ConfigEntries, sizes: _Sizes) -> TransformerArchitecture:
    ffn_size = entries.count("intermediate_size")
    num_kv_heads = entries.count("num_key_value_heads", default=sizes.num_heads)
    has_own_size = entries.value("head_dim") is not None
    head_size = entries.count("head_dim") if has_own_size else _head_size(entries, sizes)
    activation = _activation(entries, "hidden_act", "silu")
    norm_epsilon = entries.positive("rms_norm_eps", 1e-6)
    is_head_tied = entries.flag("tie_word_embeddings", default=False)
    rope_theta = _rope_theta(entries)
    entries.refuse()
    if head_size % 2:
        raise ProblemError(
            f"Rotary positions turn pairs of columns, but heads have {head_size}; make it even."
        )
    return TransformerArchitecture(
        family=Family.LLAMA,
        num_layers=sizes.num_layers,
        hidden_size=sizes.hidden_size,
        num_heads=sizes.num_heads,
        num_kv_heads=num_kv_heads,
        head_size=head_size,
        ffn_size=ffn_size,
        vocab_size=sizes.vocab_size,
        max_length=sizes.max_length,
        activation=activation,
        norm_epsilon=norm_epsilon,
        is_head_tied=is_head_tied,
        rope_theta=rope_theta,
    )


def _head_size(entries: ConfigEntries, sizes: _Sizes) -> int:
    if not entries.problems and sizes.hidden_size % sizes.num_heads:
        entries.problems.append(
            f"hidden_size {sizes.hidden_size} is no multiple of {sizes.num_heads} heads, give one that is"
        )
    return sizes.hidden_size // sizes.num_heads


def _activation(entries: ConfigEntries, name: str, default: str) -> Activation:
    asked = entries.text(name, default)
    if asked not in _ACTIVATIONS:
        entries.problems.append(f"{name} is {shown(asked)}, give one of {', '.join(sorted(_ACTIVATIONS))}")
    return _ACTIVATIONS.get(asked, Activation.GELU)


def _rope_theta(entries: ConfigEntries) -> float:
    """Base of the rotary wavelengths, from the three places where transformers has kept it over the years."""
    base = entries.positive("rope_theta", 10_000.0)
    parameters = ConfigEntries(entries.mapping("rope_scaling", "rope_parameters"), entries.problems)
    for name in ("rope_type", "type"):
        parameters.only(name, "default")
    parameters.only("partial_rotary_factor", 1.0)
    known = {"rope_type", "type", "rope_theta", "partial_rotary_factor"}
    entries.problems.extend(
        f"{shown(name)} of the rotary positions cannot be computed here, give plain ones"
        for name in parameters.config
        if name not in known and parameters.config.get("rope_type", "default") == "default"
    )
    return parameters.positive("rope_theta", base)

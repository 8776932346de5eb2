"""Configurations of transformers: computed exactly, or refused by name."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.problem import ProblemError
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.config import architecture_of
from workloads.transformer.ladder import named

# As on the hub, less what says nothing of the architecture.
GPT2 = {
    "model_type": "gpt2",
    "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-05,
    "n_ctx": 1024,
    "n_embd": 768,
    "n_head": 12,
    "n_layer": 12,
    "n_positions": 1024,
    "vocab_size": 50257,
}
OPT = {
    "model_type": "opt",
    "_remove_final_layer_norm": False,
    "activation_function": "relu",
    "do_layer_norm_before": True,
    "ffn_dim": 3072,
    "hidden_size": 768,
    "max_position_embeddings": 2048,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "vocab_size": 50272,
    "word_embed_proj_dim": 768,
}
LLAMA = {
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "max_position_embeddings": 4096,
    "num_attention_heads": 64,
    "num_hidden_layers": 80,
    "num_key_value_heads": 8,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "tie_word_embeddings": False,
    "vocab_size": 32000,
}
BERT = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 768,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "position_embedding_type": "absolute",
    "type_vocab_size": 2,
    "vocab_size": 30522,
}
CONFIGS = {"gpt2": GPT2, "opt": OPT, "llama": LLAMA, "bert": BERT}


@pytest.mark.parametrize(
    ("config", "name"),
    [(GPT2, "gpt2-124m"), (OPT, "opt-125m"), (LLAMA, "llama2-70b"), (BERT, "bert-base")],
)
def test_published_configurations_give_the_published_architectures(
    config: Mapping[str, object], name: str
) -> None:
    assert architecture_of(config) == named(name)


@pytest.mark.parametrize(
    ("config", "changes", "words"),
    [
        (GPT2, {"model_type": None}, "model_type is missing.*bert, gpt2, llama, opt"),
        (GPT2, {"model_type": "mamba"}, "model_type is 'mamba'"),
        (GPT2, {"model_type": 3}, "model_type is 3"),
        (GPT2, {"n_layer": None}, "num_hidden_layers is missing, give a whole number from 1 to 10000"),
        (GPT2, {"n_layer": 0}, "num_hidden_layers is 0"),
        (GPT2, {"n_layer": 10**6}, "num_hidden_layers is 1000000"),
        (GPT2, {"n_embd": 768.0}, "hidden_size is 768.0"),
        (GPT2, {"n_embd": True}, "hidden_size is true"),
        (GPT2, {"hidden_size": 512}, "hidden_size and n_embd mean the same and differ"),
        (GPT2, {"n_head": 7}, "hidden_size 768 is no multiple of 7 heads"),
        (GPT2, {"n_embd": 10**5000}, "a whole number beyond"),
        (GPT2, {"layer_norm_epsilon": float("nan")}, "layer_norm_epsilon is nan"),
        (GPT2, {"layer_norm_epsilon": 10**400}, "layer_norm_epsilon is a whole number beyond"),
        (GPT2, {"layer_norm_epsilon": -1e-5}, "layer_norm_epsilon is -1e-05"),
        (GPT2, {"activation_function": "swiglu"}, "activation_function is 'swiglu', give one of gelu, "),
        (GPT2, {"activation_function": ["gelu"]}, "activation_function is a list of 1"),
        (GPT2, {"scale_attn_weights": False}, "scale_attn_weights is false"),
        (GPT2, {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx is true"),
        (GPT2, {"reorder_and_upcast_attn": True}, "reorder_and_upcast_attn is true"),
        (GPT2, {"add_cross_attention": True}, "add_cross_attention is true"),
        (GPT2, {"is_encoder_decoder": True}, "is_encoder_decoder is true"),
        (GPT2, {"quantization_config": {"bits": 4}}, "quantization_config is a dict of 1"),
        (GPT2, {"pruned_heads": {"0": [1]}}, "pruned_heads is a dict of 1"),
        (GPT2, {"tie_word_embeddings": "yes"}, "tie_word_embeddings is 'yes', give true or false"),
        (OPT, {"word_embed_proj_dim": 512}, "word_embed_proj_dim is 512, give 768"),
        (OPT, {"do_layer_norm_before": False}, "do_layer_norm_before is false"),
        (OPT, {"_remove_final_layer_norm": True}, "_remove_final_layer_norm is true"),
        (OPT, {"enable_bias": False}, "enable_bias is false"),
        (OPT, {"layer_norm_elementwise_affine": False}, "layer_norm_elementwise_affine is false"),
        (LLAMA, {"attention_bias": True}, "attention_bias is true"),
        (LLAMA, {"mlp_bias": True}, "mlp_bias is true"),
        (LLAMA, {"rope_scaling": {"type": "linear", "factor": 2.0}}, "type is 'linear', give 'default'"),
        (LLAMA, {"rope_parameters": {"rope_type": "llama3", "factor": 8}}, "rope_type is 'llama3'"),
        (LLAMA, {"rope_parameters": {"full_attention": {}}}, "'full_attention' of the rotary positions"),
        (LLAMA, {"rope_scaling": "linear"}, "rope_scaling is 'linear', give a mapping"),
        (LLAMA, {"rope_theta": "high"}, "rope_theta is 'high'"),
        (LLAMA, {"partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5"),
        (LLAMA, {"num_key_value_heads": 7}, "64 heads of queries cannot share 7"),
        (LLAMA, {"head_dim": 127}, "heads have 127; make it even"),
        (BERT, {"is_decoder": True}, "is_decoder is true"),
        (BERT, {"type_vocab_size": 1}, "type_vocab_size is 1, give 2"),
        (BERT, {"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
    ],
)
def test_what_cannot_be_computed_exactly_is_refused_by_name(
    config: Mapping[str, object], changes: Mapping[str, object], words: str
) -> None:
    with pytest.raises(ProblemError, match=words):
        architecture_of({**config, **changes})


def test_everything_that_is_wrong_is_said_at_once() -> None:
    wrong = {**LLAMA, "hidden_size": -1, "mlp_bias": True, "hidden_act": "x" * 1000, "vocab_size": None}
    with pytest.raises(ProblemError, match=r"mlp_bias.*hidden_size.*vocab_size.*hidden_act") as raised:
        architecture_of(wrong)
    assert len(str(raised.value)) < 700


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({}, "rope_theta", 10_000.0),
        ({"rope_theta": 500_000}, "rope_theta", 500_000.0),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}, "rope_theta", 1e6),
        ({"rope_theta": 7.0, "rope_parameters": {"rope_theta": 1e6}}, "rope_theta", 1e6),
        ({"rope_theta": 7.0, "rope_scaling": {"rope_type": "default"}}, "rope_theta", 7.0),
        ({"head_dim": 64}, "head_size", 64),
        ({"num_key_value_heads": None}, "num_kv_heads", 64),
        ({"tie_word_embeddings": True}, "is_head_tied", True),
        ({"hidden_act": "gelu_pytorch_tanh"}, "activation", Activation.GELU_TANH),
    ],
)
def test_entries_of_llama_are_kept_where_transformers_has_put_them_over_the_years(
    changes: Mapping[str, object], field: str, value: object
) -> None:
    assert getattr(architecture_of({**LLAMA, **changes}), field) == value


def test_gpt2_widens_its_mlp_four_times_where_it_does_not_say() -> None:
    assert architecture_of({**GPT2, "n_inner": None}).ffn_size == 3072
    assert architecture_of({**GPT2, "n_inner": 500}).ffn_size == 500


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([1, 2, 4, 8, 10**400])
    | st.floats()
    | st.text(max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
rope = st.dictionaries(
    st.sampled_from(["rope_type", "type", "rope_theta", "factor", "partial_rotary_factor"]), scalars
)


@st.composite
def hostile_configs(draw: st.DrawFn) -> dict[str, Any]:
    """A published configuration of which any entries are something else, or any mapping at all."""
    base = dict(draw(st.sampled_from([*CONFIGS.values(), {}])))
    names = st.sampled_from(sorted({name for config in CONFIGS.values() for name in config})) | st.text(
        max_size=8
    )
    changes = draw(st.dictionaries(names, values, max_size=4))
    if draw(st.booleans()):
        changes[draw(st.sampled_from(["rope_scaling", "rope_parameters"]))] = draw(rope)
    return base | changes


@given(hostile_configs())
def test_any_mapping_is_an_architecture_or_a_problem_with_a_reason(config: dict[str, Any]) -> None:
    try:
        architecture = architecture_of(config)
    except ProblemError as error:
        reason = str(error)
        assert 10 < len(reason) < 4000
    else:
        assert isinstance(architecture, TransformerArchitecture)
        sizes = (architecture.num_layers, architecture.hidden_size, architecture.head_size)
        assert all(type(size) is int and size >= 1 for size in sizes)
        assert type(architecture.norm_epsilon) is float
        assert architecture.num_heads % architecture.num_kv_heads == 0


@given(hostile_configs(), st.sampled_from(sorted(CONFIGS)))
def test_it_is_the_same_after_a_round_through_json(config: dict[str, Any], family: str) -> None:
    config["model_type"] = family
    try:
        text = json.dumps(config)
        again = json.loads(text)
    except ValueError:  # numbers that Python refuses to print
        return

    def told(told_config: dict[str, Any]) -> str:
        try:
            return repr(architecture_of(told_config))
        except ProblemError as error:
            return str(error)

    assert told(again) == told(config)
    assert Family(family).value in CONFIGS

"""Configurations that transformers writes, against the models that it builds from them."""

import importlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.checkpoint import check_checkpoint, open_checkpoint
from workloads.transformer.config import architecture_of
from workloads.transformer.ladder import LADDER, PublishedModel
from workloads.transformer.weight_names import HEAD, num_parameters, weight_shapes

pytestmark = pytest.mark.slow  # the library alone takes seconds to import

CLASSES = {
    "gpt2": ("GPT2Config", "GPT2LMHeadModel"),
    "opt": ("OPTConfig", "OPTForCausalLM"),
    "llama": ("LlamaConfig", "LlamaForCausalLM"),
    "bert": ("BertConfig", "BertModel"),
}


@pytest.fixture(scope="session")
def transformers() -> Any:
    return importlib.import_module("transformers")


@st.composite
def configs(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A family, and sizes that fit each other."""
    family = draw(st.sampled_from(sorted(CLASSES)))
    kv_heads, heads_per_kv, head_size = draw(st.tuples(*[st.integers(1, 3)] * 3))
    heads = kv_heads * heads_per_kv
    sizes = {
        "num_hidden_layers": draw(st.integers(1, 3)),
        "num_attention_heads": heads,
        "hidden_size": 2 * head_size * heads,
        "vocab_size": draw(st.integers(3, 40)),
        "max_position_embeddings": draw(st.integers(1, 40)),
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": draw(st.sampled_from([None, 0, 1])),
        "tie_word_embeddings": draw(st.booleans()) or family == "bert",
    }
    width = draw(st.integers(1, 50))
    match family:
        case "gpt2":
            sizes |= {"n_inner": draw(st.sampled_from([None, width]))}
        case "opt":
            sizes |= {"ffn_dim": width, "word_embed_proj_dim": sizes["hidden_size"]}
        case "llama":
            own_size = draw(st.sampled_from([None, 2, 6]))
            sizes |= {"intermediate_size": width, "num_key_value_heads": kv_heads, "head_dim": own_size}
        case _:
            sizes |= {"intermediate_size": width}
    return family, sizes


@settings(max_examples=30)
@given(configs())
def test_any_model_that_transformers_builds_has_the_weights_of_our_architecture(
    transformers: Any, configured: tuple[str, dict[str, Any]]
) -> None:
    family, sizes = configured
    config = getattr(transformers, CLASSES[family][0])(**sizes)
    architecture = architecture_of(json.loads(config.to_json_string()))
    with torch.device("meta"):
        model = getattr(transformers, CLASSES[family][1])(config)
    assert num_parameters(architecture) == counted(model, architecture)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(configured=configs(), shard=st.sampled_from(["2KB", "1GB"]))
def test_any_checkpoint_that_transformers_writes_is_whole(
    transformers: Any, tmp_path: Path, configured: tuple[str, dict[str, Any]], shard: str
) -> None:
    family, sizes = configured
    config = getattr(transformers, CLASSES[family][0])(**sizes)
    model = getattr(transformers, CLASSES[family][1])(config)
    with TemporaryDirectory(dir=tmp_path) as name:
        folder = Path(name)
        model.save_pretrained(folder, max_shard_size=shard)
        check_checkpoint(folder)
        architecture, weights = open_checkpoint(folder)
        found = {
            name: weights.read(name, [None] * len(shape)).double()
            for name, shape in weight_shapes(architecture).items()
            if name != HEAD or not architecture.is_head_tied
        }
    kept = {
        name: weight.detach().double() for name, weight in model.named_parameters() if "pooler" not in name
    }
    if family == "opt":
        kept["model.decoder.embed_positions.weight"][:2] = 0
    assert sum(map(float_sum, found.values())) == pytest.approx(sum(map(float_sum, kept.values())), abs=1e-6)


def float_sum(weight: Tensor) -> float:
    return float(weight.sum())


def built(transformers: Any, published: PublishedModel) -> Any:
    """A published model, by its sizes."""
    sizes = published.architecture
    config, model = CLASSES[sizes.family.value]
    changes: dict[str, Any] = {
        "num_hidden_layers": sizes.num_layers,
        "hidden_size": sizes.hidden_size,
        "num_attention_heads": sizes.num_heads,
        "vocab_size": sizes.vocab_size,
        "max_position_embeddings": sizes.max_length,
    }
    match sizes.family.value:
        case "opt":
            changes |= {"ffn_dim": sizes.ffn_size, "word_embed_proj_dim": sizes.hidden_size}
        case "llama":
            changes |= {"intermediate_size": sizes.ffn_size, "num_key_value_heads": sizes.num_kv_heads}
        case "bert":
            changes |= {"intermediate_size": sizes.ffn_size}
        case _:
            pass
    return getattr(transformers, model)(getattr(transformers, config)(**changes))


@pytest.mark.parametrize("published", LADDER, ids=lambda published: published.name)
def test_published_models_have_as_many_weights_in_transformers(
    transformers: Any, published: PublishedModel
) -> None:
    with torch.device("meta"):  # sizes without memory
        model = built(transformers, published)
    assert num_parameters(published.architecture) == counted(model, published.architecture)


def counted(model: Any, architecture: TransformerArchitecture) -> int:
    """Weights of a model of transformers, less those that are not used: OPT's two rows, BERT's pooler."""
    weights = {name: weight.numel() for name, weight in model.named_parameters() if "pooler" not in name}
    return sum(weights.values()) - (2 * architecture.hidden_size if architecture.family.value == "opt" else 0)

"""Checkpoints that transformers really wrote, for every family: values, parts, and only a part's bytes."""

import importlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from workloads.transformer.architecture import Activation, Family
from workloads.transformer.checkpoint import check_checkpoint, open_checkpoint
from workloads.transformer.split import Span, tensor_shares
from workloads.transformer.weight_names import HEAD, TOKENS, weight_shapes

pytestmark = pytest.mark.slow  # the library alone takes seconds to import

VOCABULARY, LENGTH, HIDDEN, HEADS, FFN, LAYERS = 61, 24, 32, 4, 48, 2
COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "max_position_embeddings": LENGTH,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SIZES: Mapping[str, Mapping[str, object]] = {
    "gpt2": {**COMMON, "n_inner": FFN},
    "opt": {**COMMON, "ffn_dim": FFN, "word_embed_proj_dim": HIDDEN},
    "llama": {**COMMON, "intermediate_size": FFN, "num_key_value_heads": 2},
    "bert": {**COMMON, "intermediate_size": FFN},
}
CLASSES = {
    "gpt2": ("GPT2Config", "GPT2LMHeadModel", "GPT2Model"),
    "opt": ("OPTConfig", "OPTForCausalLM", "OPTModel"),
    "llama": ("LlamaConfig", "LlamaForCausalLM", "LlamaModel"),
    "bert": ("BertConfig", "BertForMaskedLM", "BertModel"),
}
FAMILIES = sorted(CLASSES)


@pytest.fixture(scope="session")
def transformers() -> Any:
    return importlib.import_module("transformers")  # here, so that collecting the fast tests stays fast


@pytest.fixture
def written(transformers: Any, tmp_path: Path) -> Callable[..., tuple[Path, Any]]:
    """Writes a model of random weights, biases and norms included, as transformers does."""

    def write(family: str, *, which: int = 1, shard: str = "20KB", **changes: object) -> tuple[Path, Any]:
        config = getattr(transformers, CLASSES[family][0])(**{**SIZES[family], **changes})
        torch.manual_seed(0)
        model = getattr(transformers, CLASSES[family][which])(config)
        with torch.no_grad():
            for weight in model.parameters():
                weight.normal_()
        model.save_pretrained(tmp_path, max_shard_size=shard)
        return tmp_path, model

    return write


def gpt2_layer(block: Any) -> dict[str, Tensor]:
    fused, bias = block.attn.c_attn.weight.T, block.attn.c_attn.bias
    cuts = {"query": slice(0, HIDDEN), "key": slice(HIDDEN, 2 * HIDDEN), "value": slice(2 * HIDDEN, None)}
    return {
        **{f"attention.{name}.weight": fused[cut] for name, cut in cuts.items()},
        **{f"attention.{name}.bias": bias[cut] for name, cut in cuts.items()},
        **{f"attention.output.{kind}": getattr(block.attn.c_proj, kind).t() for kind in ("weight", "bias")},
        **{f"mlp.up.{kind}": getattr(block.mlp.c_fc, kind).t() for kind in ("weight", "bias")},
        **{f"mlp.down.{kind}": getattr(block.mlp.c_proj, kind).t() for kind in ("weight", "bias")},
        **of_modules(norm_attention=block.ln_1, norm_mlp=block.ln_2),
    }


def opt_layer(block: Any) -> dict[str, Tensor]:
    modules = SimpleNamespace(**block._modules)
    return of_modules(
        attention_query=block.self_attn.q_proj,
        attention_key=block.self_attn.k_proj,
        attention_value=block.self_attn.v_proj,
        attention_output=block.self_attn.out_proj,
        mlp_up=modules.fc1,
        mlp_down=modules.fc2,
        norm_attention=block.self_attn_layer_norm,
        norm_mlp=block.final_layer_norm,
    )


def llama_layer(block: Any) -> dict[str, Tensor]:
    return of_modules(
        attention_query=block.self_attn.q_proj,
        attention_key=block.self_attn.k_proj,
        attention_value=block.self_attn.v_proj,
        attention_output=block.self_attn.o_proj,
        mlp_up=block.mlp.up_proj,
        mlp_gate=block.mlp.gate_proj,
        mlp_down=block.mlp.down_proj,
        norm_attention=block.input_layernorm,
        norm_mlp=block.post_attention_layernorm,
    )


def bert_layer(block: Any) -> dict[str, Tensor]:
    return of_modules(
        attention_query=block.attention.self.query,
        attention_key=block.attention.self.key,
        attention_value=block.attention.self.value,
        attention_output=block.attention.output.dense,
        mlp_up=block.intermediate.dense,
        mlp_down=block.output.dense,
        norm_attention=block.attention.output.LayerNorm,
        norm_mlp=block.output.LayerNorm,
    )


def of_modules(**modules: Any) -> dict[str, Tensor]:
    """Weights and biases of modules; ``attention_query`` names ``attention.query``."""
    return {
        f"{name if name.startswith('norm') else name.replace('_', '.', 1)}.{kind}": weight
        for name, module in modules.items()
        for kind, weight in module.named_parameters()
    }


def expected(family: str, model: Any) -> dict[str, Tensor]:
    """All weights by our names, taken from the modules of transformers."""
    base = model.base_model
    match family:
        case "gpt2":
            ends = {TOKENS: base.wte.weight, "embedding.positions": base.wpe.weight}
            blocks, layer, final = base.h, gpt2_layer, base.ln_f
        case "opt":
            decoder = base.decoder
            ends = {
                TOKENS: decoder.embed_tokens.weight,
                "embedding.positions": decoder.embed_positions.weight[2:],
            }
            blocks, layer, final = decoder.layers, opt_layer, decoder.final_layer_norm
        case "llama":
            ends = {TOKENS: base.embed_tokens.weight}
            blocks, layer, final = base.layers, llama_layer, base.norm
        case _:
            embeddings = base.embeddings
            ends = {
                TOKENS: embeddings.word_embeddings.weight,
                "embedding.positions": embeddings.position_embeddings.weight,
                "embedding.types": embeddings.token_type_embeddings.weight,
                **{f"embedding.norm.{kind}": w for kind, w in embeddings.LayerNorm.named_parameters()},
            }
            blocks, layer, final = base.encoder.layer, bert_layer, None
    if final is not None:
        ends |= {f"final_norm.{kind}": weight for kind, weight in final.named_parameters()}
        ends |= {HEAD: model.get_output_embeddings().weight}
    for number, block in enumerate(blocks):
        ends |= {f"layer.{number}.{name}": weight for name, weight in layer(block).items()}
    return ends


def assert_all_weights(folder: Path, wanted: Mapping[str, Tensor]) -> None:
    architecture, weights = open_checkpoint(folder)
    assert set(weight_shapes(architecture)) == set(wanted)
    for name, shape in weight_shapes(architecture).items():
        found = weights.read(name, [None] * len(shape))
        assert torch.equal(found, wanted[name]), name
        assert found.is_contiguous()


@pytest.mark.parametrize("shard", ["20KB", "1GB"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_weight_is_that_of_the_model(
    written: Callable[..., tuple[Path, Any]], family: str, shard: str
) -> None:
    folder, model = written(family, shard=shard)
    assert (len(list(folder.glob("*.safetensors"))) == 1) == (shard == "1GB")
    assert_all_weights(folder, expected(family, model))
    architecture, _ = open_checkpoint(folder)
    assert architecture.family is Family(family)
    assert (architecture.num_layers, architecture.hidden_size) == (LAYERS, HIDDEN)
    assert (architecture.ffn_size, architecture.max_length) == (FFN, LENGTH)
    assert architecture.num_kv_heads == (2 if family == "llama" else HEADS)
    assert architecture.is_head_tied == (family != "llama")
    check_checkpoint(folder)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("num_ranks", [2, 3])
def test_the_parts_of_uneven_ranks_make_the_whole_again(
    written: Callable[..., tuple[Path, Any]], family: str, num_ranks: int
) -> None:
    changes = {"num_key_value_heads": 4} if family == "llama" else {}
    folder, model = written(family, **changes)
    architecture, weights = open_checkpoint(folder)
    wanted = expected(family, model)
    shares = tensor_shares(architecture, num_ranks, [3.0, 1.0, 2.0][:num_ranks])
    queries = [share.kv_heads.times(architecture.heads_per_kv * architecture.head_size) for share in shares]
    ffn = [share.ffn_columns for share in shares]
    for name, spans, dim in (
        ("layer.1.attention.query.weight", queries, 0),
        ("layer.1.attention.value.weight", [s.kv_heads.times(architecture.head_size) for s in shares], 0),
        ("layer.1.attention.output.weight", queries, 1),
        ("layer.0.mlp.up.weight", ffn, 0),
        ("layer.0.mlp.down.weight", ffn, 1),
        (TOKENS, [share.vocabulary for share in shares], 0),
    ):
        parts = [weights.read(name, [span, None] if dim == 0 else [None, span]) for span in spans]
        assert torch.equal(torch.cat(parts, dim), wanted[name]), name
    if architecture.has_biases:
        parts = [weights.read("layer.1.attention.key.bias", [span]) for span in queries]
        assert torch.equal(torch.cat(parts), wanted["layer.1.attention.key.bias"])


def bytes_read() -> int:
    """Bytes that this process has read by system calls."""
    return int(Path("/proc/self/io").read_text().split()[1])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["attention.query.weight", "attention.output.weight", "mlp.down.weight"])
def test_a_rank_reads_the_bytes_of_its_part_and_no_others(
    written: Callable[..., tuple[Path, Any]], family: str, name: str
) -> None:
    folder, _ = written(family)
    _, weights = open_checkpoint(folder)
    before_nothing = bytes_read()
    overhead = bytes_read() - before_nothing  # of reading the counter itself
    for spans in ([Span(3, 11), None], [None, Span(3, 11)], [Span(5, 7), Span(0, 9)], [None, None]):
        before = bytes_read()
        part = weights.read(f"layer.1.{name}", spans)
        read = bytes_read() - before - overhead
        assert abs(read - part.numel() * part.element_size()) <= 8  # digits of the counter


def test_no_weight_is_read_before_it_is_asked_for(written: Callable[..., tuple[Path, Any]]) -> None:
    folder, model = written("llama", hidden_size=256, intermediate_size=2048, shard="1MB")
    num_bytes = sum(weight.numel() * 4 for weight in model.parameters())
    before = bytes_read()
    open_checkpoint(folder)
    assert bytes_read() - before < num_bytes / 100


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_without_a_task_has_no_prefix_and_decoders_need_their_head(
    written: Callable[..., tuple[Path, Any]], family: str
) -> None:
    folder, model = written(family, which=2, tie_word_embeddings=True)
    names = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    assert not any(name.startswith(("transformer.", "model.", "bert.")) for name in names)
    wanted = expected(
        family, SimpleNamespace(base_model=model, get_output_embeddings=model.get_input_embeddings)
    )
    assert_all_weights(folder, wanted)


@pytest.mark.parametrize("family", ["gpt2", "opt", "llama"])
@pytest.mark.parametrize("tied", [False, True])
def test_heads_are_tied_as_the_configuration_says(
    written: Callable[..., tuple[Path, Any]], family: str, *, tied: bool
) -> None:
    folder, model = written(family, tie_word_embeddings=tied)
    architecture, weights = open_checkpoint(folder)
    assert architecture.is_head_tied == tied
    head, tokens = weights.read(HEAD, [None, None]), weights.read(TOKENS, [None, None])
    assert torch.equal(head, tokens) == tied
    assert torch.equal(head, model.get_output_embeddings().weight)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_weights_keep_the_type_of_their_file(
    written: Callable[..., tuple[Path, Any]], transformers: Any, dtype: str
) -> None:
    folder, model = written("gpt2")
    model.to(getattr(torch, dtype)).save_pretrained(folder, max_shard_size="20KB")
    _, weights = open_checkpoint(folder)
    part = weights.read("layer.1.mlp.down.weight", [Span(1, 9), Span(2, 30)])
    assert part.dtype is getattr(torch, dtype)
    assert torch.equal(part, model.transformer.h[1].mlp.c_proj.weight.T[1:9, 2:30])


def test_an_encoder_s_pooler_and_heads_are_named_as_ignored(
    written: Callable[..., tuple[Path, Any]], transformers: Any
) -> None:
    folder, _ = written("bert")
    _, weights = open_checkpoint(folder)
    assert "cls.predictions.bias" in weights.ignored
    assert all(name.startswith("cls.") for name in weights.ignored)
    config = transformers.BertConfig(**SIZES["bert"])
    for task in ("BertModel", "BertForPreTraining", "BertForQuestionAnswering", "BertForTokenClassification"):
        shutil.rmtree(folder)
        getattr(transformers, task)(config).save_pretrained(folder)
        ignored = check_checkpoint(folder)
        assert ignored
        heads = ("cls.", "pooler.", "bert.pooler.", "classifier.", "qa_outputs.")
        assert all(name.startswith(heads) for name in ignored)


def test_files_of_older_libraries_are_read(written: Callable[..., tuple[Path, Any]]) -> None:
    """As on the hub: buffers beside weights, no prefix, a tied head kept twice."""
    folder, model = written("gpt2", shard="1GB")
    rewrite(
        folder,
        lambda tensors: {
            **{name.removeprefix("transformer."): tensor for name, tensor in tensors.items()},
            "h.0.attn.bias": torch.ones(1, 1, LENGTH, LENGTH),
            "h.1.attn.masked_bias": torch.tensor(-1e4),
            "lm_head.weight": tensors["transformer.wte.weight"].clone(),
        },
    )
    assert_all_weights(folder, expected("gpt2", model))
    architecture, weights = open_checkpoint(folder)
    assert not architecture.is_head_tied  # both are there: both are used, as transformers does
    assert weights.ignored == ("h.0.attn.bias", "h.1.attn.masked_bias")


def test_norms_of_the_first_berts_are_read(written: Callable[..., tuple[Path, Any]]) -> None:
    folder, model = written("bert", shard="1GB")
    new, old = ("LayerNorm.weight", "LayerNorm.bias"), ("LayerNorm.gamma", "LayerNorm.beta")
    rewrite(
        folder,
        lambda tensors: {
            **{
                name.replace(new[0], old[0]).replace(new[1], old[1]): tensor
                for name, tensor in tensors.items()
            },
            "bert.embeddings.position_ids": torch.arange(LENGTH)[None],
        },
    )
    assert_all_weights(folder, expected("bert", model))


def test_rotary_buffers_are_ignored(written: Callable[..., tuple[Path, Any]]) -> None:
    folder, model = written("llama", shard="1GB")
    rewrite(
        folder, lambda tensors: {**tensors, "model.layers.1.self_attn.rotary_emb.inv_freq": torch.ones(4)}
    )
    assert_all_weights(folder, expected("llama", model))


def test_other_activations_and_sizes_of_heads_are_taken_over(
    written: Callable[..., tuple[Path, Any]],
) -> None:
    folder, model = written("llama", head_dim=10, hidden_act="gelu", rope_theta=77.0)
    architecture, _ = open_checkpoint(folder)
    assert (architecture.head_size, architecture.activation) == (10, Activation.GELU)
    assert architecture.rope_theta == model.config.rope_parameters["rope_theta"] == 77.0
    assert_all_weights(folder, expected("llama", model))


def test_the_cache_of_the_hub_is_read_through_its_links(
    written: Callable[..., tuple[Path, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, model = written("opt")
    hub = tmp_path_factory.mktemp("models--facebook--tiny")
    snapshot = hub / "snapshots" / "0123abcd"
    snapshot.mkdir(parents=True)
    (hub / "blobs").mkdir()
    for number, file in enumerate(folder.iterdir()):
        shutil.copy(file, hub / "blobs" / f"{number:040x}")
        (snapshot / file.name).symlink_to(Path("../../blobs") / f"{number:040x}")
    assert_all_weights(snapshot, expected("opt", model))


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        tensors = {name: file.get_tensor(name).clone() for name in file.offset_keys()}
    save_file(
        {name: tensor.contiguous() for name, tensor in change(tensors).items()}, folder / "model.safetensors"
    )

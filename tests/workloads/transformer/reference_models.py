"""Models of transformers with random weights, to compare with; no download."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from workloads.transformer.architecture import Family

COMMON = {
    "num_hidden_layers": 4,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "max_position_embeddings": 48,
    "vocab_size": 61,
    "bos_token_id": 1,
    "eos_token_id": None,  # generation goes on to its end
    "pad_token_id": None,
}
SIZES: Mapping[Family, Mapping[str, Any]] = {
    Family.GPT2: {"n_inner": 52},
    Family.OPT: {"ffn_dim": 52, "word_embed_proj_dim": 32},
    Family.LLAMA: {"intermediate_size": 52, "num_attention_heads": 8, "num_key_value_heads": 4},
    Family.BERT: {"intermediate_size": 52},
}
CLASSES = {
    Family.GPT2: (transformers.GPT2Config, transformers.GPT2LMHeadModel),
    Family.OPT: (transformers.OPTConfig, transformers.OPTForCausalLM),
    Family.LLAMA: (transformers.LlamaConfig, transformers.LlamaForCausalLM),
    Family.BERT: (transformers.BertConfig, transformers.BertModel),
}


def reference_model(family: Family, **changes: object) -> Any:  # Any: transformers' types are of no use here
    """A model in float64 whose weights are all random, those of norms and biases included."""
    config_class, model_class = CLASSES[family]
    model = model_class(config_class(**{**COMMON, **SIZES[family], **changes}))
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn(weight.shape, generator=generator))
    return model.double().eval()


def written(model: Any, folder: Path) -> Path:
    """Its checkpoint, in float64."""
    model.save_pretrained(folder)
    return folder


def prompts_of(lengths: Sequence[int], vocab_size: int, seed: int = 0) -> list[Tensor]:
    """Token ids of as many sequences."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(0, vocab_size, (length,), generator=generator) for length in lengths]


@torch.inference_mode()
def reference_rows(model: Any, prompts: Sequence[Tensor]) -> Tensor:
    """Logits (of an encoder: hidden states) of every token, each sequence computed alone: [rows, columns]."""
    outputs = [model(prompt[None]) for prompt in prompts]
    return torch.cat([output.logits[0] if "logits" in output else output[0][0] for output in outputs])


@torch.inference_mode()
def reference_tokens(model: Any, prompt: Tensor, num_new_tokens: int) -> list[int]:
    """The greedy continuation of one prompt."""
    found = model.generate(
        prompt[None],
        attention_mask=torch.ones_like(prompt[None]),
        max_new_tokens=num_new_tokens,
        do_sample=False,
        pad_token_id=0,
    )
    return found[0, len(prompt) :].tolist()


def relative_error(found: Tensor, expected: Tensor) -> float:
    """The largest difference as a part of the largest value."""
    assert found.shape == expected.shape
    return float((found.double() - expected).abs().max() / expected.abs().max())


def half_precision(model: Any) -> Any:
    """The same model in bfloat16."""
    return copy.deepcopy(model).to(torch.bfloat16)

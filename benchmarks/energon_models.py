"""Models for the benchmarks of energon: checkpoints made by transformers, read by it and by us."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from workloads.transformer.architecture import Family

transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # as it is there
transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # as it is there


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Of one model; keys and values have ``num_kv_heads`` heads where the family can."""

    family: Family
    num_layers: int
    hidden_size: int
    num_heads: int
    num_kv_heads: int
    ffn_size: int
    vocab_size: int
    max_length: int


def write_checkpoint(sizes: Sizes, folder: Path, seed: int = 1) -> Path:
    """A folder with ``config.json`` and safetensors of random weights, biases and norms included."""
    model = _model(sizes)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            centre = (
                1.0
                if weight.dim() == 1
                and "norm" in name.lower().replace("ln_", "norm")
                and (name.endswith("weight"))
                else 0.0
            )
            weight.copy_(centre + 0.05 * torch.randn(weight.shape, generator=generator))
    model.save_pretrained(folder)
    return folder


def reference_model(
    folder: Path, family: Family, dtype: torch.dtype
) -> Any:  # Any: transformers has no types
    """The checkpoint as transformers computes it."""
    kind = transformers.AutoModel if family is Family.BERT else transformers.AutoModelForCausalLM
    words = {"add_pooling_layer": False} if family is Family.BERT else {}
    return kind.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa", **words).eval()


@torch.inference_mode()
def reference_rows(model: Any, prompts: Sequence[Sequence[int]]) -> Tensor:  # Any: as above
    """Logits (of an encoder: hidden states) [rows, columns] of prompts computed one by one."""
    rows = []
    for prompt in prompts:
        found = model(torch.tensor([list(prompt)]))
        rows.append((found.logits if "logits" in found else found.last_hidden_state)[0])
    return torch.cat(rows)


def random_prompts(lengths: Sequence[int], vocab_size: int, seed: int = 0) -> list[list[int]]:
    """Token ids for sequences of these lengths."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(0, vocab_size, (length,), generator=generator).tolist() for length in lengths]


def padded_batch(prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Token ids [sequences, longest] with zeros behind each, and the mask of what is no padding."""
    longest = max(map(len, prompts))
    tokens = torch.zeros(len(prompts), longest, dtype=torch.int64)
    mask = torch.zeros_like(tokens)
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = torch.tensor(list(prompt))
        mask[row, : len(prompt)] = 1
    return tokens, mask


def _model(sizes: Sizes) -> Any:  # Any: as above
    if sizes.family is Family.GPT2:
        return transformers.GPT2LMHeadModel(
            transformers.GPT2Config(
                n_layer=sizes.num_layers,
                n_embd=sizes.hidden_size,
                n_head=sizes.num_heads,
                n_inner=sizes.ffn_size,
                n_positions=sizes.max_length,
                vocab_size=sizes.vocab_size,
            )
        )
    common: dict[str, Any] = {  # Any: their constructors take words of many types
        "num_hidden_layers": sizes.num_layers,
        "hidden_size": sizes.hidden_size,
        "num_attention_heads": sizes.num_heads,
        "max_position_embeddings": sizes.max_length,
        "vocab_size": sizes.vocab_size,
    }
    if sizes.family is Family.OPT:
        return transformers.OPTForCausalLM(
            transformers.OPTConfig(ffn_dim=sizes.ffn_size, word_embed_proj_dim=sizes.hidden_size, **common)
        )
    if sizes.family is Family.LLAMA:
        return transformers.LlamaForCausalLM(
            transformers.LlamaConfig(
                intermediate_size=sizes.ffn_size,
                num_key_value_heads=sizes.num_kv_heads,
                head_dim=sizes.hidden_size // sizes.num_heads,
                **common,
            )
        )
    return transformers.BertModel(
        transformers.BertConfig(intermediate_size=sizes.ffn_size, **common), add_pooling_layer=False
    )

"""Tiny random models of transformers in float64, whose greedy generation is the truth."""

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, OPTConfig, PreTrainedModel

VOCAB_SIZE = 61
_COMMON = {"vocab_size": VOCAB_SIZE, "bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
# With the usual scale of 0.02 a model would repeat its last token, whatever was before it.
_SCALE = 0.6


def config_of(family: str):
    if family == "gpt2":
        return GPT2Config(
            n_layer=3, n_embd=24, n_head=3, n_positions=160, initializer_range=_SCALE, **_COMMON
        )
    if family == "opt":
        return OPTConfig(
            num_hidden_layers=3,
            hidden_size=24,
            word_embed_proj_dim=24,
            num_attention_heads=3,
            ffn_dim=40,
            max_position_embeddings=160,
            init_std=_SCALE,
            **_COMMON,
        )
    return LlamaConfig(
        num_hidden_layers=3,
        hidden_size=32,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=40,
        max_position_embeddings=160,
        initializer_range=_SCALE,
        **_COMMON,
    )


def model_in(folder: Path, family: str) -> PreTrainedModel:
    """A random model, and its checkpoint in a folder."""
    torch.set_num_threads(1)
    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_config(config_of(family), dtype=torch.float64).eval()
    model.save_pretrained(folder)
    return model


def greedy(model: PreTrainedModel, prompt, max_new_tokens: int, stop_ids=()) -> tuple[int, ...]:
    """What transformers generates for one prompt alone."""
    tokens = torch.tensor([prompt])
    made = model.generate(
        tokens,
        attention_mask=torch.ones_like(tokens),  # else the token 0 of a prompt would be taken for padding
        max_new_tokens=max_new_tokens,
        do_sample=False,
        eos_token_id=sorted(stop_ids) or None,
        pad_token_id=0,
    )
    return tuple(made[0, len(prompt) :].tolist())

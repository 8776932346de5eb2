"""The same models in transformers, and in accelerate with layers on the host, where these are installed."""

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from benchmarks.energon_gpu_model import Setting, token_ids
from workloads.transformer.architecture import Family, TransformerArchitecture

Pass = Callable[[], object]


def padded_pass(
    architecture: TransformerArchitecture, setting: Setting
) -> Callable[[Sequence[int]], Pass] | str:
    """Makes a padded pass for sequences of given lengths; without transformers, what is missing."""
    if missing := missing_of("transformers"):
        return missing
    model = _model(architecture, setting).base_model

    def of(lengths: Sequence[int]) -> Pass:
        longest = max(lengths)
        ids = token_ids(len(lengths) * longest, architecture.vocab_size)
        tokens = torch.tensor(ids, device=setting.device).view(len(lengths), longest)
        ends = torch.tensor(list(lengths), device=setting.device)
        mask = (torch.arange(longest, device=setting.device) < ends[:, None]).long()
        return lambda: model(tokens, attention_mask=mask)

    return of


def offloaded_pass(
    architecture: TransformerArchitecture, parked: Sequence[int], tokens: Tensor, setting: Setting
) -> Pass | str:
    """A pass of a GPT-2 [sequences, tokens] with these layers in host memory, beside a CPU on the disk.

    In place of one, what is missing for it.
    """
    if missing := missing_of("transformers", "accelerate"):
        return missing
    accelerate: Any = importlib.import_module("accelerate")  # Any: it has no types
    device = str(setting.device)
    elsewhere = "disk" if setting.device.type == "cpu" else "cpu"
    places = {f"transformer.h.{layer}": device for layer in range(architecture.num_layers)}
    places |= {f"transformer.h.{layer}": elsewhere for layer in parked}
    places |= dict.fromkeys(["transformer.wte", "transformer.wpe", "transformer.ln_f", "lm_head"], device)
    model = accelerate.dispatch_model(
        _model(architecture, setting).to("cpu"),
        places,
        main_device=device,
        offload_dir=str(setting.folder / "accelerate"),
    )

    def work() -> Tensor:
        states = model.transformer(tokens).last_hidden_state[:, -1]
        logits: Tensor = model.lm_head(states)
        return logits

    return work


def missing_of(*names: str) -> str:
    """Which of some packages are not installed; empty where all are."""
    absent = [name for name in names if importlib.util.find_spec(name) is None]
    return f"{' and '.join(absent)} not installed" if absent else ""


def _model(architecture: TransformerArchitecture, setting: Setting) -> Any:  # Any: transformers has no types
    """With weights by chance, made on the device."""
    library: Any = importlib.import_module("transformers")
    sizes = {"vocab_size": architecture.vocab_size}
    with setting.device:
        if architecture.family is Family.BERT:
            config = library.BertConfig(
                num_hidden_layers=architecture.num_layers,
                hidden_size=architecture.hidden_size,
                num_attention_heads=architecture.num_heads,
                intermediate_size=architecture.ffn_size,
                max_position_embeddings=architecture.max_length,
                **sizes,
            )
            model = library.BertModel(config, add_pooling_layer=False)
        else:
            config = library.GPT2Config(
                n_layer=architecture.num_layers,
                n_embd=architecture.hidden_size,
                n_head=architecture.num_heads,
                n_inner=architecture.ffn_size,
                n_positions=architecture.max_length,
                **sizes,
            )
            model = library.GPT2LMHeadModel(config)
    return model.to(setting.dtype).eval()

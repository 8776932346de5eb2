"""Tokens one after the other, each the most likely one, made by all devices of a plan together."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from workloads.galaxy.engine.executor import Executor
from workloads.transformer.layout import Layout
from workloads.transformer.want import Want


def generated(
    executor: Executor, prompts: Int[Tensor, " rows"], lengths: Sequence[int], num_new_tokens: int
) -> Int[Tensor, "sequences new"]:
    """The new tokens of each prompt, on every device; all of them call this with the same prompts, packed.

    Raises:
        RequestError: for prompts that are too long with the new tokens, before anything is sent.
        NotFiniteError: where logits predict no token.
        LinkError: when another device is gone.
    """
    caches = [executor.new_cache(length + num_new_tokens) for length in lengths]
    past, new, rows = [0] * len(lengths), list(lengths), prompts
    made = []
    for _ in range(num_new_tokens):
        layout = Layout(lengths=tuple(new), past=tuple(past) if any(past) else ())
        tokens = executor.forward(rows, layout, Want.NEXT_TOKENS, caches)
        if tokens is None:
            raise ValueError("an executor tells next tokens to every device")
        past, new, rows = (
            [before + length for before, length in zip(past, new, strict=True)],
            [1] * len(new),
            tokens,
        )
        made.append(tokens)
    return torch.stack(made, dim=1) if made else prompts.new_empty((len(lengths), 0))

"""Norms of hidden states."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.layer_store import LayerWeights


def normed(
    hidden: Float[Tensor, "rows hidden"],
    weights: LayerWeights,
    name: str,
    architecture: TransformerArchitecture,
) -> Float[Tensor, "rows hidden"]:
    """Rows divided by their deviation and scaled: LayerNorm, or RMSNorm where there are no biases."""
    scale = weights[f"{name}.weight"]
    if architecture.has_biases:
        return functional.layer_norm(
            hidden, scale.shape, scale, weights[f"{name}.bias"], architecture.norm_epsilon
        )
    if hidden.is_cuda and hidden.dtype is not torch.float64:
        return functional.rms_norm(hidden, scale.shape, scale, architecture.norm_epsilon)
    # In float32 also where the rest is in float64: as the models were trained, and as transformers does it.
    wide = hidden.to(torch.float32)
    mean_square = wide.pow(2).mean(-1, keepdim=True)
    return (wide * mean_square.add_(architecture.norm_epsilon).rsqrt_()).to(hidden.dtype).mul_(scale)

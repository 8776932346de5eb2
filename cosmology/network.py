"""The CosmoFlow network family in torch, written for one device.

Legend of tensor names: B batch, C channels, X Y Z voxels, F features.
"""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from itertools import groupby
from typing import Literal

import torch
from jaxtyping import Float, UInt16
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from cosmology.architecture import (
    NEGATIVE_SLOPE,
    OUTPUT_SCALE,
    Architecture,
    Convolution,
    Recipe,
)
from cosmology.kernels import pooling
from cosmology.kernels.convolution import SameConvolution
from cosmology.kernels.pooled_convolution import is_faster, pooled_convolution

Kernels = Literal["torch", "own"]


def build(architecture: Architecture, *, seed: int, recipe: Recipe, kernels: Kernels = "torch") -> "Network":
    """The network on the CPU in float32, its weights decided by ``seed`` alone.

    Biases are zero, factors of normalisations one. ``recipe`` decides the last dense layer: see ``Recipe``.
    The global random state of torch is neither read nor moved. ``kernels`` says who computes poolings and
    activations, and convolutions before them; parameters and their names are the same.
    On processors own kernels are compiled on first use, or by ``kernels.building.library`` before.
    """
    with torch.device("meta"):
        network = Network(architecture, kernels)
    network.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter, generator=generator)
        else:
            nn.init.zeros_(parameter)
    for module in network.modules():
        if isinstance(module, nn.GroupNorm):
            nn.init.ones_(module.weight)
    if recipe is Recipe.SCALED:
        nn.init.zeros_(network.last.weight)
    return network


def normalise(
    counts_BCXYZ: UInt16[Tensor, "batch channels x y z"],
    channel_mean_C: Float[Tensor, " channels"],
    channel_std_C: Float[Tensor, " channels"],
    recipe: Recipe,
) -> Float[Tensor, "batch channels x y z"]:
    """Counts as the network reads them: log(1 + count), standardised by channel in the scaled recipe.

    ``channel_mean_C`` and ``channel_std_C`` are those of log(1 + count) over the data set.
    """
    x_BCXYZ = counts_BCXYZ.to(torch.float32).log1p_()
    if recipe is Recipe.REFERENCE:
        return x_BCXYZ
    return x_BCXYZ.sub_(channel_mean_C.view(-1, 1, 1, 1)).div_(channel_std_C.view(-1, 1, 1, 1))


class Network(nn.Module):
    """One member of the family; ``forward`` gives normalised targets in [-1.2, 1.2]."""

    def __init__(self, architecture: Architecture, kernels: Kernels = "torch") -> None:
        super().__init__()
        by_stage = groupby(architecture.convolutions, key=lambda convolution: convolution.stage)
        self.stages = nn.ModuleList(Stage(tuple(members), architecture, kernels) for _, members in by_stage)
        *hidden, last = architecture.dense_layers
        self.hidden = nn.ModuleList(nn.Linear(layer.in_features, layer.out_features) for layer in hidden)
        self.last = nn.Linear(last.in_features, last.out_features)

    def forward(self, x_BCXYZ: Float[Tensor, "batch channels x y z"]) -> Float[Tensor, "batch targets"]:
        """Normalised targets of a batch of normalised grids."""
        for stage in self.stages:
            x_BCXYZ = stage(x_BCXYZ)
        # Channels last, as the TensorFlow reference flattens: its weights then mean the same here.
        x_BF = x_BCXYZ.permute(0, 2, 3, 4, 1).flatten(1)
        for layer in self.hidden:
            x_BF = functional.leaky_relu_(layer(x_BF), NEGATIVE_SLOPE)
        return OUTPUT_SCALE * torch.tanh(self.last(x_BF))


class Stage(nn.Module):
    """One convolution, then residual ones of the same width, then a pooling that halves the grid."""

    def __init__(
        self, convolutions: tuple[Convolution, ...], architecture: Architecture, kernels: Kernels
    ) -> None:
        super().__init__()
        self._has_own_kernels = kernels == "own"
        self._is_bare = len(convolutions) == 1 and not architecture.is_normalised
        self.is_divided = False
        """Whether ranks share its grid: end planes then meet those of neighbours before they are pooled."""
        self.branch_scale = architecture.branch_scale
        self.is_checkpointed = architecture.is_checkpointed
        self.has_checkpointed_branches = architecture.has_checkpointed_branches
        self.convolutions = nn.ModuleList(
            SameConvolution(layer.in_channels, layer.out_channels) for layer in convolutions
        )
        normalised = convolutions if architecture.is_normalised else ()
        self.norms = nn.ModuleList(Norm(layer.num_groups, layer.out_channels) for layer in normalised)

    def forward(self, x_BCXYZ: Float[Tensor, "batch in x y z"]) -> Float[Tensor, "batch out x2 y2 z2"]:
        """Features of half the side."""
        if self.is_checkpointed and torch.is_grad_enabled():
            return _computed_again(self._features, x_BCXYZ)
        return self._features(x_BCXYZ)

    def _features(self, x_BCXYZ: Tensor) -> Tensor:
        if self._has_own_kernels and len(self.convolutions) == 1:
            return self._own_features(x_BCXYZ)
        x_BCXYZ = self._convolved(0, x_BCXYZ)
        for number in range(1, len(self.convolutions)):
            branch_BCXYZ = self._branch(number, x_BCXYZ)
            x_BCXYZ = torch.add(x_BCXYZ, branch_BCXYZ, alpha=self.branch_scale)
        if self._has_own_kernels:
            return pooling.pooled_activation(x_BCXYZ, 1.0)
        # Plain max_pool3d would leave half precision under autocast on the CPU; a maximum needs no digits.
        pooled_BCXYZ, _ = functional.max_pool3d_with_indices(x_BCXYZ, (2, 2, 2))
        return pooled_BCXYZ

    def _own_features(self, x_BCXYZ: Tensor) -> Tensor:
        weight, bias = (self.convolutions[0].get_parameter(name) for name in ("weight", "bias"))
        if self._is_bare and not self.is_divided and is_faster(x_BCXYZ, weight):
            return pooled_convolution(x_BCXYZ, weight, bias, NEGATIVE_SLOPE)
        return pooling.pooled_activation(self._normalised(0, x_BCXYZ), NEGATIVE_SLOPE)

    def _branch(self, number: int, x_BCXYZ: Tensor) -> Tensor:
        if self.has_checkpointed_branches and torch.is_grad_enabled():
            return _computed_again(partial(self._convolved, number), x_BCXYZ)
        return self._convolved(number, x_BCXYZ)

    def _convolved(self, number: int, x_BCXYZ: Tensor) -> Tensor:
        # In place: the activation's slope follows from its result's sign, so one copy serves backward.
        return functional.leaky_relu_(self._normalised(number, x_BCXYZ), NEGATIVE_SLOPE)

    def _normalised(self, number: int, x_BCXYZ: Tensor) -> Tensor:
        """A convolution's result, before its activation."""
        x_BCXYZ = self.convolutions[number](x_BCXYZ)
        return self.norms[number](x_BCXYZ) if self.norms else x_BCXYZ


class Norm(nn.GroupNorm):
    """Normalises in the numbers' own format: autocast would make float32 of every activation here."""

    def forward(self, x_BCXYZ: Float[Tensor, "batch c x y z"]) -> Float[Tensor, "batch c x y z"]:
        """Of each group of channels of a sample: mean 0 and variance 1, then scaled and shifted."""
        weight_C, bias_C = self.weight.to(x_BCXYZ.dtype), self.bias.to(x_BCXYZ.dtype)
        device = x_BCXYZ.device.type
        has_autocast = torch.amp.is_autocast_available(device)
        with torch.autocast(device, enabled=False) if has_autocast else nullcontext():
            return functional.group_norm(x_BCXYZ, self.num_groups, weight_C, bias_C, self.eps)


def _computed_again(function: Callable[[Tensor], Tensor], x_BCXYZ: Tensor) -> Tensor:
    """What a function gives; the backward pass asks it again instead of keeping what it holds."""
    # Nothing random happens inside, so no random state needs to be kept for the second time.
    result: Tensor = checkpoint(function, x_BCXYZ, use_reentrant=False, preserve_rng_state=False)
    return result

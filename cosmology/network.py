"""The CosmoFlow network family in torch, written for one device.

Legend of tensor names: B batch, C channels, X Y Z voxels, F features.
"""

from itertools import groupby

import torch
from jaxtyping import Float, UInt16
from torch import Tensor, nn
from torch.nn import functional

from cosmology.architecture import (
    KERNEL_SIDE,
    NEGATIVE_SLOPE,
    OUTPUT_SCALE,
    Architecture,
    Convolution,
    Recipe,
)


def build(architecture: Architecture, *, seed: int, recipe: Recipe) -> "Network":
    """The network on the CPU in float32, its weights decided by ``seed`` alone.

    Biases are zero. ``recipe`` decides the last dense layer: see ``Recipe``. The global random state of
    torch is neither read nor moved.
    """
    with torch.device("meta"):
        network = Network(architecture)
    network.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter, generator=generator)
        else:
            nn.init.zeros_(parameter)
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

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        scale = architecture.branch_scale
        by_stage = groupby(architecture.convolutions, key=lambda convolution: convolution.stage)
        self.stages = nn.ModuleList(Stage(tuple(members), scale) for _, members in by_stage)
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

    def __init__(self, convolutions: tuple[Convolution, ...], branch_scale: float) -> None:
        super().__init__()
        self.branch_scale = branch_scale
        self.convolutions = nn.ModuleList(
            nn.Conv3d(layer.in_channels, layer.out_channels, KERNEL_SIDE, padding="same")
            for layer in convolutions
        )

    def forward(self, x_BCXYZ: Float[Tensor, "batch in x y z"]) -> Float[Tensor, "batch out x2 y2 z2"]:
        """Features of half the side."""
        first, *residuals = self.convolutions
        # In place: the activation's slope follows from its result's sign, so one copy serves backward.
        x_BCXYZ = functional.leaky_relu_(first(x_BCXYZ), NEGATIVE_SLOPE)
        for residual in residuals:
            branch_BCXYZ = functional.leaky_relu_(residual(x_BCXYZ), NEGATIVE_SLOPE)
            x_BCXYZ = torch.add(x_BCXYZ, branch_BCXYZ, alpha=self.branch_scale)
        # Plain max_pool3d would leave half precision under autocast on the CPU; a maximum needs no digits.
        pooled_BCXYZ, _ = functional.max_pool3d_with_indices(x_BCXYZ, (2, 2, 2))
        return pooled_BCXYZ

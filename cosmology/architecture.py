"""The CosmoFlow network family as values: what layers a member has, without building it.

A member reads density grids of ``resolution``^3 voxels and gives four cosmological parameters. Stages of
3^3 convolutions and 2^3 poolings shrink the grid until 4^3 voxels are left for three dense layers, so the
number of stages follows from the resolution. The reference member is that of MLPerf HPC (128^3 x 4).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from cosmology.definition import NUM_TARGETS

KERNEL_SIDE = 3
FINAL_SIDE = 4
"""Side [voxels] of the grid that the dense layers see."""
MIN_RESOLUTION = 8
DENSE_FEATURES = (128, 64)
NEGATIVE_SLOPE = 0.3
OUTPUT_SCALE = 1.2
_GROUP_CHANNELS = 8


class ArchitectureError(ValueError):
    """A network that cannot exist; the message says why and what would."""


class Recipe(StrEnum):
    """How a member starts. The reference recipe fails away from the reference member."""

    REFERENCE = "reference"
    """Xavier uniform weights everywhere, inputs log(1 + count)."""
    SCALED = "scaled"
    """Besides, a last dense layer of zeros and inputs standardised by channel: deep or narrow members
    otherwise saturate their tanh or rest on a plateau."""


class Normalisation(StrEnum):
    """What follows each convolution, before its activation."""

    NONE = "none"
    GROUP = "group"
    """GroupNorm (Wu and He 2018) over groups of 8 channels, or as many as divide their number: unlike
    batch norm it does the same for a batch of one sample."""


class Checkpointing(StrEnum):
    """What the backward pass computes again instead of keeping it; results are the same."""

    NONE = "none"
    STAGES = "stages"
    """Only what enters a stage is kept (Chen et al. 2016). The peak stays: it is that of the first stage."""
    BRANCHES = "branches"
    """Of each residual branch only what enters it is kept: less of the first stage stands at the peak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """One 3^3 convolution with bias, stride 1, that keeps the grid's side."""

    stage: int
    residual: int
    """0 for the stage's first convolution, else the number of the residual branch."""
    side: int
    """Side of the grid [voxels]."""
    in_channels: int
    out_channels: int

    @property
    def num_weights(self) -> int:
        """Weights without the bias."""
        return KERNEL_SIDE**3 * self.in_channels * self.out_channels

    @property
    def num_parameters(self) -> int:
        """Weights and biases."""
        return self.num_weights + self.out_channels

    @property
    def num_groups(self) -> int:
        """Groups of channels that a normalisation after it takes together."""
        return self.out_channels // math.gcd(self.out_channels, _GROUP_CHANNELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """One dense layer with bias."""

    in_features: int
    out_features: int

    @property
    def num_weights(self) -> int:
        """Weights without the bias."""
        return self.in_features * self.out_features

    @property
    def num_parameters(self) -> int:
        """Weights and biases."""
        return self.num_weights + self.out_features


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One member of the family."""

    resolution: int
    """Side of the input grid [voxels]."""
    channels: int
    """Input channels: redshifts of one universe."""
    stage_channels: tuple[int, ...]
    """Channels of each stage, first stage first."""
    residuals_per_stage: int = 0
    normalisation: Normalisation = Normalisation.NONE
    checkpointing: Checkpointing = Checkpointing.NONE

    def __post_init__(self) -> None:
        needed = num_stages(self.resolution)
        if len(self.stage_channels) != needed:
            raise ArchitectureError(
                f"{len(self.stage_channels)} stages for {self.resolution}^3 voxels; "
                f"{needed} stages leave the {FINAL_SIDE}^3 that the dense layers need."
            )
        if self.channels < 1 or min(self.stage_channels) < 1 or self.residuals_per_stage < 0:
            raise ArchitectureError(
                f"channels {self.channels}, stage channels {self.stage_channels} and residuals per stage "
                f"{self.residuals_per_stage} cannot exist; give at least 1, 1 and 0."
            )

    @property
    def num_residuals(self) -> int:
        """Residual convolutions over all stages."""
        return len(self.stage_channels) * self.residuals_per_stage

    @property
    def branch_scale(self) -> float:
        """Factor of each residual branch: 1/sqrt(their number) keeps the features' scale at any depth."""
        return 1 / math.sqrt(max(1, self.num_residuals))

    @property
    def is_normalised(self) -> bool:
        """Whether a normalisation follows each convolution."""
        return self.normalisation is Normalisation.GROUP

    @property
    def is_checkpointed(self) -> bool:
        """Whether the backward pass computes stages again."""
        return self.checkpointing is Checkpointing.STAGES

    @property
    def has_checkpointed_branches(self) -> bool:
        """Whether the backward pass computes residual branches again."""
        return self.checkpointing is Checkpointing.BRANCHES

    def is_computed_again(self, layer: Convolution) -> bool:
        """Whether the backward pass computes a convolution again."""
        return self.is_checkpointed or (self.has_checkpointed_branches and layer.residual > 0)

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """All convolutions, in the order of the forward pass."""
        return tuple(self._each_convolution())

    def _each_convolution(self) -> Iterator[Convolution]:
        in_channels = self.channels
        for stage, out_channels in enumerate(self.stage_channels):
            for residual in range(1 + self.residuals_per_stage):
                yield Convolution(
                    stage=stage,
                    residual=residual,
                    side=self.resolution // 2**stage,
                    in_channels=in_channels,
                    out_channels=out_channels,
                )
                in_channels = out_channels

    @property
    def dense_layers(self) -> tuple[Dense, ...]:
        """The dense layers, in the order of the forward pass."""
        features = (FINAL_SIDE**3 * self.stage_channels[-1], *DENSE_FEATURES, NUM_TARGETS)
        return tuple(Dense(in_features=before, out_features=after) for before, after in pairwise(features))

    @property
    def num_parameters(self) -> int:
        """Weights and biases of all layers; a normalisation has one of each for every channel."""
        per_channel = 2 if self.is_normalised else 0
        convolutions = sum(
            layer.num_parameters + per_channel * layer.out_channels for layer in self.convolutions
        )
        return convolutions + sum(layer.num_parameters for layer in self.dense_layers)

    @property
    def recipe(self) -> Recipe:
        """The reference recipe for exactly the reference member, the scaled one for all others."""
        is_reference = replace(self, checkpointing=Checkpointing.NONE) == REFERENCE
        return Recipe.REFERENCE if is_reference else Recipe.SCALED


def num_stages(resolution: int) -> int:
    """Stages that shrink ``resolution``^3 voxels to the 4^3 that the dense layers see: log2(n) - 2.

    Raises:
        ArchitectureError: when the resolution is no power of two, or below 8.
    """
    if resolution < MIN_RESOLUTION or resolution & (resolution - 1):
        raise ArchitectureError(
            f"resolution {resolution} is not a power of two of at least {MIN_RESOLUTION}; every stage halves "
            f"it until {FINAL_SIDE} is left. Use {', '.join(map(str, _neighbours(resolution)))}."
        )
    return resolution.bit_length() - FINAL_SIDE.bit_length()


def _neighbours(resolution: int) -> tuple[int, ...]:
    below = 1 << max(resolution, 1).bit_length() - 1
    return tuple(sorted({max(below, MIN_RESOLUTION), max(2 * below, MIN_RESOLUTION)}))


REFERENCE = Architecture(resolution=128, channels=4, stage_channels=(32, 64, 128, 256, 512))
"""The network of MLPerf HPC: 8 907 556 parameters."""

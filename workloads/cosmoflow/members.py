"""Members of the CosmoFlow family by what training on a sample costs: a ladder from 1 GFLOP to 1 PFLOP.

A cost is met by choosing width and depth; where channels are many, within an eighth (see
``augment.model.WIDTHS``).
"""

import math
from dataclasses import dataclass

from augment.compound import MOST_PHI, Bounds, Extent, Shares, grown
from augment.iso import nearest
from augment.model import WIDTHS, residuals_per_stage, stage_channels
from cosmology.architecture import (
    KERNEL_SIDE,
    MIN_RESOLUTION,
    REFERENCE,
    Architecture,
    Checkpointing,
    Normalisation,
    num_stages,
)

MOST_DEPTH = 1024
MOST_RESOLUTION = 1024
_REFERENCE_WIDTH = REFERENCE.stage_channels[0]
_NO_RESOLUTION = Shares(depth=0.5, width=0.5, resolution=0.0)
"""At a given resolution depth and width take half of each doubling."""
_DEPTHS_AROUND = 2
"""Depths on either side of the rule's that are tried, to come nearer to the cost."""
_NEAR = 0.125
"""Members this near to a cost are as good as each other; the rule's proportions then decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a network has besides its sizes."""

    normalisation: Normalisation = Normalisation.NONE
    checkpointing: Checkpointing = Checkpointing.NONE

    @property
    def techniques(self) -> dict[str, str]:
        """What differs from the plain network, by the name of its size."""
        switched = {"normalisation": str(self.normalisation), "checkpointing": str(self.checkpointing)}
        return {name: word for name, word in switched.items() if word != "none"}

    @property
    def words(self) -> tuple[str, ...]:
        """The same for readers."""
        again = {str(word): f"{word} computed again" for word in Checkpointing}
        known = {str(Normalisation.GROUP): "group norm", **again}
        return tuple(known[word] for word in self.techniques.values())


PLAIN = Options()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A network by its depth and width, with its cost."""

    depth: int
    width: int
    flops_per_sample: int
    """Of training."""

    def deviation(self, flops_per_sample: float) -> float:
        """Of its cost from another one, relative to that one."""
        return self.flops_per_sample / flops_per_sample - 1


def training_flops(architecture: Architecture) -> int:
    """FLOPs of one sample of a training step: those of ``step_operations``, in closed form."""
    residuals = architecture.residuals_per_stage
    entries, branches, in_channels = 0, 0, architecture.channels
    for stage, channels in enumerate(architecture.stage_channels):
        of_one = 2 * KERNEL_SIDE**3 * channels * (architecture.resolution >> stage) ** 3
        entries += of_one * in_channels
        branches += of_one * residuals * channels
        in_channels = channels
    dense = sum(2 * layer.num_weights for layer in architecture.dense_layers)
    first = 2 * KERNEL_SIDE**3 * architecture.channels * architecture.stage_channels[0]
    first *= architecture.resolution**3  # nobody needs the gradient of the grids themselves
    again = entries + branches if architecture.is_checkpointed else 0
    again += branches if architecture.has_checkpointed_branches else 0
    return 3 * (entries + branches) + again - first + 3 * dense


def member(resolution: int, channels: int, depth: int, width: int, options: Options = PLAIN) -> Architecture:
    """The network of this depth and width for grids of ``resolution``^3 x ``channels``."""
    return Architecture(
        resolution=resolution,
        channels=channels,
        stage_channels=stage_channels(width, num_stages(resolution)),
        residuals_per_stage=residuals_per_stage(depth),
        normalisation=options.normalisation,
        checkpointing=options.checkpointing,
    )


def member_near(
    flops_per_sample: float,
    *,
    resolution: int,
    channels: int,
    depth: int | None = None,
    width: int | None = None,
    options: Options = PLAIN,
) -> Member:
    """The member whose training on a sample costs nearest to ``flops_per_sample``.

    A given depth or width is kept. Without either both grow: each takes half of every doubling beyond the
    reference's width at depth 1; below it only the width shrinks.
    """
    family = _Family(resolution=resolution, channels=channels, options=options)
    if width is not None:
        return family.by_depth(flops_per_sample, width)
    if depth is not None:
        return family.by_width(flops_per_sample, depth)
    return family.by_rule(flops_per_sample)


def members_within(
    flops_per_sample: float,
    tolerance: float,
    *,
    resolution: int,
    channels: int,
    most_depth: int = MOST_DEPTH,
    options: Options = PLAIN,
) -> tuple[Member, ...]:
    """Of each depth the member nearest to a cost, if it is within ``tolerance`` (a share); shallow first."""
    family = _Family(resolution=resolution, channels=channels, options=options)
    found: list[Member] = []
    for depth in range(1, most_depth + 1):
        one = family.by_width(flops_per_sample, depth)
        if abs(one.deviation(flops_per_sample)) <= tolerance:
            found.append(one)
        elif one.width == WIDTHS[0] and one.deviation(flops_per_sample) > 0:
            break  # deeper ones cost more still
    return tuple(found)


def compound_member(
    base: Member, phi: float, *, resolution: int, channels: int, options: Options = PLAIN
) -> tuple[Member, int]:
    """``base`` after ``phi`` steps of the compound knob, each of which doubles the FLOPs; its grid."""
    extent = Extent(depth=base.depth, width=base.width, resolution=resolution)
    bounds = Bounds(most_depth=MOST_DEPTH, least_resolution=MIN_RESOLUTION, most_resolution=MOST_RESOLUTION)
    wanted = grown(extent, phi, bounds)
    family = _Family(resolution=wanted.resolution, channels=channels, options=options)
    return family.by_width(base.flops_per_sample * 2.0**phi, wanted.depth), wanted.resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """Networks that differ in depth and width alone."""

    resolution: int
    channels: int
    options: Options

    def flops(self, depth: int, width: int) -> int:
        return training_flops(member(self.resolution, self.channels, depth, width, self.options))

    def by_width(self, flops_per_sample: float, depth: int) -> Member:
        found = nearest(flops_per_sample, lambda width: self.flops(depth, width), WIDTHS)
        return Member(depth=depth, width=found.size, flops_per_sample=round(found.quantity))

    def by_depth(self, flops_per_sample: float, width: int) -> Member:
        depths = range(1, MOST_DEPTH + 1)
        found = nearest(flops_per_sample, lambda depth: self.flops(depth, width), depths)
        return Member(depth=found.size, width=width, flops_per_sample=round(found.quantity))

    def by_rule(self, flops_per_sample: float) -> Member:
        start = Extent(depth=1, width=_REFERENCE_WIDTH, resolution=self.resolution)
        doublings = math.log2(flops_per_sample / self.flops(1, _REFERENCE_WIDTH))
        phi = min(max(doublings, -MOST_PHI), MOST_PHI)
        bounds = Bounds(
            most_depth=MOST_DEPTH, least_resolution=self.resolution, most_resolution=self.resolution
        )
        ruled = grown(start, phi, bounds, _NO_RESOLUTION).depth
        least, most = max(1, ruled - _DEPTHS_AROUND), min(ruled + _DEPTHS_AROUND, MOST_DEPTH)
        found = [self.by_width(flops_per_sample, depth) for depth in range(least, most + 1)]
        near = [one for one in found if abs(one.deviation(flops_per_sample)) <= _NEAR]
        if near:
            return min(near, key=lambda one: abs(one.depth - ruled))
        return min(found, key=lambda one: abs(math.log(one.flops_per_sample / flops_per_sample)))

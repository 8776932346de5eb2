"""One knob for depth, width and resolution together: each step of it doubles the FLOPs of a sample.

FLOPs of a network of 3-D convolutions grow as depth x width^2 x resolution^3. With ``alpha``, ``beta`` and
``gamma`` as the factors of depth, width and resolution of one step, alpha beta^2 gamma^3 = 2: compound
scaling (Tan and Le 2019, EfficientNet, where gamma has the exponent 2 of images) for grids. Sizes are whole
numbers, so resolution takes its nearest power of two, depth its nearest whole number, and width what is left.
"""

import math
from dataclasses import dataclass

from augment.problem import ProblemError

MOST_PHI = 64.0
"""No machine has 2^64 times the FLOPs of a problem that another one has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """The parts of each doubling that depth, width and resolution take; together 1."""

    depth: float = 1 / 3
    width: float = 1 / 3
    resolution: float = 1 / 3

    def __post_init__(self) -> None:
        shares = (self.depth, self.width, self.resolution)
        if not math.isclose(sum(shares), 1.0) or min(shares) < 0:
            raise ProblemError(
                f"shares of depth, width and resolution are {', '.join(f'{share:g}' for share in shares)}; "
                "give numbers from 0 on whose sum is 1, so that each step doubles the FLOPs."
            )

    @property
    def alpha(self) -> float:
        """Factor of the depth in one step."""
        return 2**self.depth

    @property
    def beta(self) -> float:
        """Factor of the width in one step; FLOPs grow with its square."""
        return 2 ** (self.width / 2)

    @property
    def gamma(self) -> float:
        """Factor of the resolution in one step; FLOPs grow with its cube."""
        return 2 ** (self.resolution / 3)


EVEN = Shares()
"""Depth, width and resolution take a third of each doubling: 1.26, 1.12 and 1.08."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How large a model and its samples are."""

    depth: int
    width: float
    """Not rounded: the application knows which widths it can build."""
    resolution: int

    @property
    def relative_flops(self) -> float:
        """What the FLOPs of a sample are proportional to."""
        return self.depth * self.width**2 * float(self.resolution) ** 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The least and most that an application can build."""

    most_depth: int
    least_resolution: int
    most_resolution: int


def grown(base: Extent, phi: float, bounds: Bounds, shares: Shares = EVEN) -> Extent:
    """``base`` after ``phi`` steps of the knob: 2^phi times its relative FLOPs.

    Raises:
        ProblemError: for a knob beyond all reason.
    """
    if not -MOST_PHI <= phi <= MOST_PHI:
        raise ProblemError(f"phi is {phi:g}; give a number from {-MOST_PHI:g} to {MOST_PHI:g}.")
    depth = min(max(1, round(base.depth * shares.alpha**phi)), bounds.most_depth)
    exponent = round(math.log2(base.resolution * shares.gamma**phi))
    resolution = min(max(2**exponent, bounds.least_resolution), bounds.most_resolution)
    left = base.relative_flops * 2.0**phi / (depth * float(resolution) ** 3)
    return Extent(depth=depth, width=math.sqrt(left), resolution=resolution)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompoundWalk:
    """The settings of the knob that a sweep goes through."""

    phis: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.phis or not all(-MOST_PHI <= phi <= MOST_PHI for phi in self.phis):
            raise ProblemError(
                f"phi is {list(self.phis)}; give at least one number from {-MOST_PHI:g} to {MOST_PHI:g}."
            )

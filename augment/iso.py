"""Walks along which one quantity stays the same while sizes grow against each other.

At each station of a walk some sizes are given and one is free: the size that brings the held quantity nearest
to what it is at the base. Sizes are whole numbers, so it is met within a tolerance or not at all.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from augment.problem import ProblemError, Shape

Quantity = Literal["flops", "memory", "bytes"]
"""``flops`` of one step of all ranks, ``memory`` that the tensors of one rank need at most, ``bytes`` of the
data set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IsoWalk:
    """What is held, what is given at each station, and what follows."""

    hold: Quantity
    rungs: tuple[Shape, ...]
    """The given sizes of each station, those of data, model and run side by side."""
    free: str
    """The size that follows."""
    tolerance: float = 0.1
    """Most relative deviation of the held quantity."""

    def __post_init__(self) -> None:
        if not self.rungs or any(self.free in rung for rung in self.rungs):
            raise ProblemError(
                f"a walk whose free size is {self.free} needs stations that give other sizes than it."
            )
        if not 0 < self.tolerance < 1:
            raise ProblemError(f"the tolerance of a walk is {self.tolerance:g}; give a share such as 0.1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The free size of a station, and what is held there."""

    size: int
    quantity: float
    deviation: float
    """Of the quantity from the target, relative to the target."""


def nearest(target: float, quantity_at: Callable[[int], float], choices: Sequence[int]) -> Found:
    """The choice whose quantity is nearest to ``target`` by ratio.

    ``choices`` grow, and ``quantity_at`` does not fall with them; it is asked for few of them.

    Raises:
        ProblemError: without a choice, or for a target that is not above 0.
    """
    if not choices or not target > 0:
        raise ProblemError(f"nothing of {target:g} can be held by {len(choices)} choices.")
    place = bisect_left(choices, target, key=quantity_at)
    around = [choices[index] for index in (place - 1, place) if 0 <= index < len(choices)]
    size = min(around, key=lambda one: abs(math.log(quantity_at(one) / target)))
    quantity = quantity_at(size)
    return Found(size=size, quantity=quantity, deviation=quantity / target - 1)

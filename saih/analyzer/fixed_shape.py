"""What of a problem stays the same along an axis."""

from collections.abc import Sequence
from dataclasses import replace

from augment.problem import Problem, Shape
from workloads.protocol import Axis


def without_axis(problem: Problem, axis: Axis, axes: Sequence[Axis]) -> Problem:
    """The problem without the sizes of one axis; those of axes within it, or around it, stay."""
    name = axis.within or axis.name
    within = {size for other in axes if other.within == name for size in other.sizes}
    shape: Shape = getattr(problem, name)
    kept = {
        size: value
        for size, value in shape.items()
        if (size not in axis.sizes if axis.within else size in within)
    }
    return replace(problem, **{name: Shape.of(kept)})

"""Which problems one device computes once, to hold the answer of several against; arithmetic only."""

from workloads.galaxy.shapes import GalaxyShape
from workloads.transformer.weight_names import num_parameters

_MOST_FLOPS = 1e11
"""A few seconds of one core."""
WHY_UNCHECKED = f"answers were not held against one device: that would take more than {_MOST_FLOPS:.0e} FLOPs"


def is_checked(shape: GalaxyShape) -> bool:
    """Whether one device soon has the answer to a request."""
    return 2.0 * num_parameters(shape.architecture) * shape.num_rows <= _MOST_FLOPS

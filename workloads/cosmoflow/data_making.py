"""What the making of a data set may use, of what ranks were told that they have for it."""

from cosmology.generation import Resources
from workloads.means import Means
from workloads.steady_clock import steady_ns


def resources_of(means: Means) -> Resources:
    """The same means, in the words of the science."""
    return Resources(device=means.device, memory_bytes=means.memory_bytes, join=means.join, clock=steady_ns)

"""The sizes that the shapes of a problem may have."""

from collections.abc import Sequence

from workloads.protocol import Axis


def sizes_in(axes: Sequence[Axis], shape: str) -> dict[str, str]:
    """Each size that a shape of a problem may have, with its meaning: also those of axes within it."""
    return {
        name: meaning
        for axis in axes
        if shape in (axis.name, axis.within)
        for name, meaning in axis.sizes.items()
    }

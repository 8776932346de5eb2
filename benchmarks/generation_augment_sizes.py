"""Data sets asked for by their size: what they hold, and by how much of a sample they miss it."""

from collections.abc import Iterator
from dataclasses import dataclass

from augment.data import bytes_of
from augment.problem import Problem, Shape
from workloads.cosmoflow.shapes import CosmoFlowShape

_TARGETS = (("25 GB", 32), ("25 GB", 128), ("1.6 TB", 128), ("1.6 TB", 512), ("9.9 TB", 1024))
_MODEL = Shape.of(depth=1, width=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizedData:
    """The data set of one target size."""

    target: str
    resolution: int
    num_samples: int
    num_universes: int
    simulation_side: int
    excess_samples: float
    """Bytes above the target over those of a sample: 0 to below 1."""


def sized_data() -> Iterator[SizedData]:
    """Data sets of voxels of 1 Mpc/h and 4 redshifts, from the fewest universes."""
    for target, resolution in _TARGETS:
        sizes = Shape.of(bytes=target, resolution=resolution, channels=4, voxel=1, universes="fewest")
        shape = CosmoFlowShape.from_problem(Problem(data=sizes, model=_MODEL))
        yield SizedData(
            target=target,
            resolution=resolution,
            num_samples=shape.samples,
            num_universes=shape.universes,
            simulation_side=shape.definition.simulation_side,
            excess_samples=(shape.data.dataset_bytes - bytes_of(target)) / shape.data.sample_bytes,
        )

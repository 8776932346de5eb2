"""How ranks divide a sample: each holds a slab of its planes, for as many stages as leave it enough of them.

A convolution reads one plane of each neighbouring slab (its halo), a pooling pairs of planes of its own. So
a stage is divided while every rank holds two of its planes. Before the first that is not, the slabs are
gathered, and every rank does the rest of the network alike, on whole grids.
"""

from dataclasses import dataclass

from cosmology.architecture import Architecture, ArchitectureError

LEAST_PLANES = 2
"""That a pooling makes one of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleDivision:
    """Which part of each stage one of ``num_ranks`` ranks works on.

    Raises:
        ArchitectureError: for ranks that cannot have equally many planes, or enough of them.
    """

    architecture: Architecture
    num_ranks: int = 1

    def __post_init__(self) -> None:
        side, ranks = self.architecture.resolution, self.num_ranks
        if not 1 <= ranks <= most_ranks(side):
            raise ArchitectureError(
                f"{ranks} ranks cannot share {side} planes: each needs {LEAST_PLANES}; "
                f"give 1 to {most_ranks(side)}."
            )
        if side % ranks:
            raise ArchitectureError(
                f"{ranks} ranks cannot share {side} planes evenly; give one of "
                f"{', '.join(str(2**power) for power in range(most_ranks(side).bit_length()))}."
            )

    @property
    def is_whole(self) -> bool:
        """Whether one rank has all."""
        return self.num_ranks == 1

    @property
    def num_divided_stages(self) -> int:
        """Stages that each rank works on in its own planes; those after them it does whole."""
        stages = range(len(self.architecture.stage_channels))
        return sum(self.is_divided(stage) for stage in stages)

    def is_divided(self, stage: int) -> bool:
        """Whether each rank works on its own planes of a stage."""
        return not self.is_whole and self._side(stage) >= LEAST_PLANES * self.num_ranks

    def planes(self, stage: int) -> int:
        """Planes of a stage's grid that one rank works on, without the halo."""
        return self._side(stage) // self.num_ranks if self.is_divided(stage) else self._side(stage)

    def _side(self, stage: int) -> int:
        return self.architecture.resolution >> stage


def most_ranks(resolution: int) -> int:
    """The most ranks that can share a grid of this side [voxels]."""
    return resolution // LEAST_PLANES

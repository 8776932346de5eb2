"""Makes a network compute on slabs: the same weights, by the same names, and the same results."""

from cosmology.architecture import Architecture
from cosmology.division import SampleDivision
from cosmology.network import Network, Norm, Stage
from cosmology.slabs.crew import Crew
from cosmology.spatial.gathered import gathered_behind
from cosmology.spatial.halo import joined_by_halos
from cosmology.spatial.norm import SharedNorm
from cosmology.spatial.traffic import Traffic


def divide(network: Network, architecture: Architecture, crew: Crew, traffic: Traffic) -> None:
    """From now on ``network`` reads this rank's slab of each grid, and gives what it gave of whole grids.

    Rank r of R reads planes r n/R to (r + 1) n/R along x. Every rank of the crew calls this, and from here on
    does the same passes in the same order. The mean over ranks of a weight's gradients is its gradient.

    Raises:
        ArchitectureError: for a crew that cannot share its grids.
    """
    division = SampleDivision(architecture=architecture, num_ranks=crew.num_ranks)
    if division.is_whole:
        return
    stages = [stage for stage in network.stages if isinstance(stage, Stage)]
    divided = stages[: division.num_divided_stages]
    for stage in divided:
        _divide_stage(stage, crew, traffic)
    gathered_behind(divided[-1], crew, traffic)


def _divide_stage(stage: Stage, crew: Crew, traffic: Traffic) -> None:
    stage.is_divided = True
    for convolution in stage.convolutions:
        joined_by_halos(convolution, crew, traffic)
    for number, norm in enumerate(stage.norms):
        if isinstance(norm, Norm):
            stage.norms[number] = SharedNorm(norm, crew, traffic)

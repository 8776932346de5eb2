"""What lets a CosmoFlow problem fit into less memory: computing branches again, or sharing every sample."""

from dataclasses import replace

from augment.problem import Problem
from cosmology.architecture import Checkpointing
from cosmology.division import most_ranks
from workloads.cosmoflow.shapes import CosmoFlowShape
from workloads.protocol import Degrees
from workloads.saving import Saving


def savings(problem: Problem, degrees: Degrees) -> tuple[Saving, ...]:
    """Checkpointing, then twice, four times, ... as many ranks for every sample, then both together.

    Checkpointing lowers the peak where there are residual branches: of whole stages it never does.

    Raises:
        ProblemError: for a problem that cannot be built.
    """
    shape = CosmoFlowShape.from_problem(problem)
    again = None
    if shape.depth > 1 and shape.options.checkpointing is not Checkpointing.BRANCHES:
        model = problem.model.with_sizes({"checkpointing": str(Checkpointing.BRANCHES)})
        again = replace(problem, model=model)
    alone = () if again is None else (Saving(problem=again, degrees=degrees, words=_AGAIN),)
    wider = tuple(_wider(degrees, most_ranks(shape.resolution)))
    shared = tuple(Saving(problem=problem, degrees=one, words=_shared(one)) for one in wider)
    if again is None:
        return shared
    both = tuple(
        Saving(problem=again, degrees=one, words=f"{_AGAIN} with {_shared(one)}", is_combined=True)
        for one in wider
    )
    return (*alone, *shared, *both)


_AGAIN = f"model.checkpointing: {Checkpointing.BRANCHES}"


def _shared(degrees: Degrees) -> str:
    return f"spatial_parallel: {degrees.spatial_parallel}"


def _wider(degrees: Degrees, most: int) -> list[Degrees]:
    found, ranks = [], 2 * degrees.spatial_parallel
    while ranks <= most:
        found.append(replace(degrees, spatial_parallel=ranks))
        ranks *= 2
    return found

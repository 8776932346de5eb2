"""The data set of a problem: the same for every session, study and rank."""

from augment.problem import Problem
from cosmology.definition import DatasetDefinition
from workloads.cosmoflow.shapes import CosmoFlowShape

DATA_SEED = 0
"""One data set serves every seed of a sweep: seeds vary the weights and the order of samples."""


def definition_of(problem: Problem) -> DatasetDefinition:
    """What decides the data set of a problem.

    Raises:
        ProblemError: when the problem cannot be built.
    """
    return CosmoFlowShape.from_problem(problem).dataset(DATA_SEED)

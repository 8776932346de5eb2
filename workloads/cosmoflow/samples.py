"""Where a training session takes its samples from."""

from augment.problem import Problem
from cosmology.dataset import Dataset, open_dataset
from workloads.cosmoflow.problem_data import definition_of
from workloads.cosmoflow.synthetic import SyntheticDataset
from workloads.protocol import Surroundings

NUM_PRODUCERS = 8
"""Threads that may read samples at once: each keeps a batch in memory."""
Samples = Dataset | SyntheticDataset


def open_samples(problem: Problem, surroundings: Surroundings) -> Samples:
    """The samples of a problem on one rank: those of its data set, or such as stand in for them.

    Raises:
        ProblemError: for a problem that cannot be built.
        DatasetError: when its data set is not whole.
    """
    definition = definition_of(problem)
    if surroundings.input == "synthetic":
        return SyntheticDataset(definition, surroundings.seed)
    return open_dataset(
        definition, surroundings.data_folder, rank=surroundings.rank, num_ranks=surroundings.num_ranks
    )

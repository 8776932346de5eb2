"""CosmoFlow in a job: makes its data set, and trains a member of the family step by step."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from augment.problem import Problem, ProblemError
from cosmology import network
from cosmology.dataset import Dataset, open_dataset
from cosmology.generation import Resources, complete, seal
from workloads.cosmoflow.batches import BatchOrder
from workloads.cosmoflow.problem_data import definition_of
from workloads.cosmoflow.schedule import MOMENTUM, learning_rate
from workloads.cosmoflow.shapes import CosmoFlowShape
from workloads.means import ALONE, Means
from workloads.precision import Precision
from workloads.protocol import Mark, Progress, Session, Surroundings, Told
from workloads.steady_clock import steady_ns
from workloads.studying import Study

LAYOUT = torch.channels_last_3d
"""Convolutions and poolings run 1.5 to 2 times as fast as with channels first, on CPUs too."""
TEST_PRECISION = "float64"
"""Outside the product's formats: shows that N ranks equal one, to the last digits."""

Batch = tuple[Float[Tensor, "batch channel x y z"], Float[Tensor, "batch 4"]]


class CosmoFlowJob:
    """The side of CosmoFlow that runs inside the job."""

    def generate(
        self,
        problem: Problem,
        data_folder: Path,
        rank: int,
        num_ranks: int,
        progress: Progress,
        means: Means = ALONE,
    ) -> None:
        """Make this rank's missing universes and shards."""
        resources = Resources(
            device=means.device, memory_bytes=means.memory_bytes, join=means.join, clock=steady_ns
        )
        complete(definition_of(problem), data_folder, rank, num_ranks, progress, resources=resources)

    def seal(self, problem: Problem, data_folder: Path) -> None:
        """Write the manifest that makes the data set usable."""
        seal(definition_of(problem), data_folder)

    def prepare(self, problem: Problem, surroundings: Surroundings) -> Session[Any]:
        """Open the data set, build the network, attach the gradient exchange.

        Raises:
            ProblemError: for a precision that is not known, or a batch above the data set.
            DatasetError: when the data set is not whole.
        """
        dataset = open_dataset(
            definition_of(problem),
            surroundings.data_folder,
            rank=surroundings.rank,
            num_ranks=surroundings.num_ranks,
        )
        return TrainingSession(CosmoFlowShape.from_problem(problem), dataset, surroundings)

    def validate(self, problem: Problem, study: Study) -> Told:
        """Every gate of a valid learning problem, or of a smaller twin; see ``gates``."""
        from workloads.cosmoflow.validation import validate  # noqa: PLC0415 - scipy is slow to load

        return validate(problem, study)

    def search(self, problems: Sequence[Problem], study: Study) -> Told:
        """For the cost of each problem the member of the family that learns best; see ``search``.

        Raises:
            ProblemError: when the problems do not share one data set, or the package optuna is missing.
        """
        try:
            from workloads.cosmoflow.search import search  # noqa: PLC0415 - an extra that only searches need
        except ModuleNotFoundError as error:
            raise ProblemError(f"{error}; a search needs it: pip install 'saih[search]'.") from error
        return search(problems, study)


class TrainingSession:
    """Training by stochastic gradient descent on one rank."""

    def __init__(self, shape: CosmoFlowShape, dataset: Dataset, surroundings: Surroundings) -> None:
        self._dataset = dataset
        self._device = torch.device(surroundings.device)
        self._rank = surroundings.rank
        self._order = BatchOrder(
            seed=surroundings.seed,
            num_samples=len(dataset),
            batch_per_rank=surroundings.batch_per_rank,
            num_ranks=surroundings.num_ranks,
        )
        self._mean_C = torch.from_numpy(dataset.channel_mean)
        self._std_C = torch.from_numpy(dataset.channel_std)
        self._precision = surroundings.precision
        self._dtype = _weights_dtype(surroundings.precision)
        architecture = shape.architecture()
        self._recipe = architecture.recipe
        model = network.build(architecture, seed=surroundings.seed, recipe=self._recipe)
        model.to(self._device, self._dtype)
        model.to(memory_format=LAYOUT)  # type: ignore[call-overload]  # torch's stub leaves it out
        rate = learning_rate(architecture, surroundings.batch_per_rank * surroundings.num_ranks)
        self._optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=MOMENTUM)
        self._model = surroundings.exchange.attach(model)

    def produce(self, step: int) -> Batch:
        """Read this rank's part of a batch and normalise it, in pinned memory where a GPU takes it."""
        counts, targets = self._dataset.read(self._order.indices(step, self._rank))
        grids = network.normalise(torch.from_numpy(counts), self._mean_C, self._std_C, self._recipe)
        batch = grids.to(self._dtype, memory_format=LAYOUT), torch.from_numpy(targets).to(self._dtype)
        return batch if self._device.type == "cpu" else (batch[0].pin_memory(), batch[1].pin_memory())

    def step(self, batch: Batch, mark: Mark) -> Float[Tensor, ""]:
        """One descent on a batch; gives its mean squared error."""
        grids, targets = (part.to(self._device, non_blocking=True) for part in batch)
        mark("input_wait")
        with self._autocast():
            predicted = self._model(grids)
        loss = functional.mse_loss(predicted.to(self._dtype), targets)
        mark("forward")
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        mark("backward")
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        mark("optimizer")
        return loss.detach()

    def close(self) -> None:
        """Close the data set's files."""
        self._dataset.close()

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._precision == Precision.BFLOAT16:
            return torch.autocast(self._device.type, torch.bfloat16)
        return nullcontext()


def _weights_dtype(precision: str) -> torch.dtype:
    if precision == TEST_PRECISION:
        return torch.float64
    Precision.named(precision)
    return torch.float32

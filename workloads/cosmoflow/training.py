"""CosmoFlow in a job: makes its data set, and trains a member of the family step by step."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from augment.problem import Problem, ProblemError
from cosmology import network
from cosmology.generation import complete, seal
from cosmology.kernels.building import library
from workloads.cosmoflow import knobs
from workloads.cosmoflow.batches import BatchOrder
from workloads.cosmoflow.compiled_network import compile_stages, compiled, compiling, forget_programs
from workloads.cosmoflow.data_making import resources_of
from workloads.cosmoflow.descent import Descent
from workloads.cosmoflow.execution_rules import check_execution
from workloads.cosmoflow.grid_reader import Batch, GridReader
from workloads.cosmoflow.normaliser import MEMORY_FORMATS, Normalisation, Normalise
from workloads.cosmoflow.number_format import TEST_PRECISION, NumberFormat, number_format
from workloads.cosmoflow.passes import EagerPasses, GraphedPasses, Passes, recorded
from workloads.cosmoflow.problem_data import definition_of
from workloads.cosmoflow.process_settings import ProcessSettings
from workloads.cosmoflow.sample_part import PartSamples, SamplePart, open_part, part_notes
from workloads.cosmoflow.samples import NUM_PRODUCERS, Samples, open_samples
from workloads.cosmoflow.schedule import learning_rate
from workloads.cosmoflow.shapes import CosmoFlowShape
from workloads.cosmoflow.stored import stored_files
from workloads.execution import Execution, settled
from workloads.means import ALONE, Means
from workloads.protocol import Mark, Progress, Session, Surroundings, Told
from workloads.stored_files import Reading, StoredFile
from workloads.studying import Study
from workloads.tunable import RankSetting
from workloads.tuning import Knob, TuningFacts


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
        definition = definition_of(problem)
        complete(definition, data_folder, rank, num_ranks, progress, resources=resources_of(means))

    def seal(self, problem: Problem, data_folder: Path) -> None:
        """Write the manifest that makes the data set usable."""
        seal(definition_of(problem), data_folder)

    def prepare(self, problem: Problem, surroundings: Surroundings) -> Session[Any]:
        """Open the data set, build the network, attach the gradient exchange.

        Raises:
            ProblemError: for a precision that is not known, a batch above the data set, or an execution that
                this rank cannot do.
            DatasetError: when the data set is not whole.
        """
        samples = open_samples(problem, surroundings)
        return TrainingSession(CosmoFlowShape.from_problem(problem), samples, surroundings)

    def files(self, problem: Problem, data_folder: Path, reading: Reading) -> Sequence[StoredFile]:
        """The files of the data set, and which of them some ranks read; see ``stored``."""
        return stored_files(problem, data_folder, reading)

    def settings(self, problem: Problem, facts: TuningFacts) -> Sequence[Knob]:
        """What of an execution is worth a trial; see ``knobs``."""
        return knobs.knobs(facts)

    def notes(self, told: Sequence[Told]) -> Mapping[str, str]:
        """What ranks that share samples brought to each other in the middle of steps."""
        return part_notes(told)

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
    """Training by stochastic gradient descent on one rank, in the way that its execution says."""

    def __init__(self, shape: CosmoFlowShape, dataset: Samples, surroundings: Surroundings) -> None:
        with ExitStack() as stack:
            stack.callback(dataset.close)
            execution = _checked(surroundings)
            self._has_own_kernels = execution.kernels == "own"
            self._settings = ProcessSettings(execution, torch.device(surroundings.device))
            stack.callback(_leave, self._settings, execution)
            architecture = shape.architecture()
            self._part = open_part(architecture, surroundings)
            samples = self._part.of(dataset)
            normalisation = Normalisation(
                channel_mean=torch.from_numpy(samples.channel_mean),
                channel_std=torch.from_numpy(samples.channel_std),
                recipe=architecture.recipe,
                numbers=number_format(execution.precision, torch.device(surroundings.device)),
                execution=execution,
            )
            self._reader = _reader(samples, surroundings, normalisation)
            self._descent, self._passes = _passes(self._part, self._reader, surroundings, normalisation)
            self._closing = stack.pop_all()

    @property
    def num_producers(self) -> int:
        """How many threads may call ``produce`` at the same time."""
        return NUM_PRODUCERS

    def produce(self, step: int) -> Batch:
        """Read this rank's part of a batch and normalise it, in pinned memory where a GPU takes it."""
        return self._reader.read(step)

    def step(self, batch: Batch, mark: Mark) -> Float[Tensor, ""]:
        """One descent on a batch; gives its mean squared error."""
        passes = self._passes
        received = passes.receive(batch)
        mark("input_wait")
        self._part.begin_step(mark)
        loss = passes.forward(received)
        mark("forward")
        self._part.begin_backward(mark)
        passes.backward(loss)
        mark("backward")
        self._descent.step()
        passes.end()
        mark("optimizer")
        return loss.detach()

    def tell(self, num_steps: int) -> Told:
        """What this rank brought to others that share its samples, in the mean over steps."""
        return self._part.tell()

    @property
    def is_recorded(self) -> bool:
        """Whether its operations cannot be seen one by one: graphs run both passes, or own kernels a part."""
        return isinstance(self._passes, GraphedPasses) or self._has_own_kernels

    def resume(self) -> None:
        """Set what sessions of a process share as this one wants it: another may have been stepped since."""
        self._settings.resume()

    def close(self) -> None:
        """Close the data set's files, and leave the process as it was before."""
        self._closing.close()


def _checked(surroundings: Surroundings) -> Execution:
    """The execution with its number format.

    Raises:
        ProblemError: for one that such a rank cannot do, whatever is installed.
    """
    execution = settled(surroundings.execution, surroundings.precision)
    setting = RankSetting(
        precision=execution.precision,
        device=torch.device(surroundings.device).type,
        exchange="none" if surroundings.num_ranks == 1 else "between ranks",
        num_threads=execution.threads,  # ProcessSettings knows how many there are
        degrees=surroundings.degrees,
    )
    if execution.precision != TEST_PRECISION:
        check_execution(execution, setting)
    return execution


def _leave(settings: ProcessSettings, execution: Execution) -> None:
    is_last = settings.leave()
    if is_last and execution.compiler != "none":
        forget_programs()


def _reader(samples: PartSamples, surroundings: Surroundings, normalisation: Normalisation) -> GridReader:
    """Who makes batches; it normalises them, unless the device shall."""
    order = BatchOrder(
        seed=surroundings.seed,
        num_samples=len(samples),
        batch_per_rank=surroundings.batch_per_rank,
        num_ranks=surroundings.num_replicas,
    )
    hands_counts = normalisation.execution.inputs == "counts"
    normalise = None if hands_counts else normalisation.in_loader()
    return GridReader(samples, order, surroundings.replica, normalise, normalisation.numbers)


def _passes(
    part: SamplePart, reader: GridReader, surroundings: Surroundings, normalisation: Normalisation
) -> tuple[Descent, Passes]:
    """Who moves the weights, and what is done with a batch before: compiled, exchanged, recorded."""
    device, execution = torch.device(surroundings.device), normalisation.execution
    numbers = normalisation.numbers
    model = _network(part, surroundings, execution, numbers)
    rate = learning_rate(part.architecture, surroundings.batch_per_rank * surroundings.num_replicas)
    descent = Descent(model.parameters(), rate, execution.optimizer, numbers.scaled_on)
    normalise: Normalise = normalisation.on(device)
    is_compiled = execution.compiler == "inductor"
    if is_compiled:
        compile_stages(model.stages, device)
        normalise = compiled(normalise.__call__)
    with_model = partial(EagerPasses, normalise=normalise, descent=descent, device=device, numbers=numbers)
    if is_compiled:
        with compiling(device):
            with_model(model).rehearse(reader.blank(device))
    passes = with_model(surroundings.exchange.attach(model))
    if execution.graph == "step":
        return descent, recorded(passes, reader.blank(device))
    return descent, passes


def _network(
    part: SamplePart, surroundings: Surroundings, execution: Execution, numbers: NumberFormat
) -> network.Network:
    """The network on its device, reading this rank's part of samples, its weights decided by the seed.

    Raises:
        KernelError: for own kernels where they cannot be made.
    """
    if execution.kernels == "own" and torch.device(surroundings.device).type == "cpu":
        library()  # made before the first step, which is timed
    model = network.build(
        part.architecture,
        seed=surroundings.seed,
        recipe=part.architecture.recipe,
        kernels=execution.kernels,
    )
    model.to(torch.device(surroundings.device), numbers.weights)
    model.to(memory_format=MEMORY_FORMATS[execution.layout])  # type: ignore[call-overload]  # torch's stub leaves it out
    part.divide(model)
    return model

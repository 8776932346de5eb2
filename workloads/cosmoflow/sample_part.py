"""What one rank has of every sample of its replica: all of it, or a slab of its planes."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from augment.problem import ProblemError
from cosmology.architecture import Architecture, ArchitectureError
from cosmology.division import SampleDivision
from cosmology.network import Network
from cosmology.slabs.crew import Crew
from cosmology.spatial.dividing import divide
from cosmology.spatial.traffic import Traffic
from workloads.cosmoflow.samples import Samples
from workloads.protocol import Mark, PhaseName, Surroundings, Told


class SamplePart:
    """One rank's part; ``crew`` are the ranks that share each sample, where there are several."""

    def __init__(self, architecture: Architecture, crew: Crew | None = None) -> None:
        self.architecture = architecture
        """Of whole samples."""
        self._crew = crew
        self._traffic = Traffic()
        self._num_steps = 0

    @property
    def planes(self) -> tuple[int, int] | None:
        """First plane along x that this rank reads, and the first that it does not; None for all."""
        if self._crew is None:
            return None
        each = self.architecture.resolution // self._crew.num_ranks
        return self._crew.rank * each, (self._crew.rank + 1) * each

    def of(self, samples: Samples) -> "PartSamples":
        """Samples of which only this part is read."""
        return samples if self.planes is None else SlabSamples(samples, self.planes)

    def divide(self, network: Network) -> None:
        """Let the network read this part; every rank of the crew calls it."""
        if self._crew is not None:
            divide(network, self.architecture, self._crew, self._traffic)

    def begin_step(self, mark: Mark) -> None:
        """A step begins with its forward pass: ``mark`` is told of waits for other ranks in it."""
        self._num_steps += 1
        self._listen(mark, "forward")

    def begin_backward(self, mark: Mark) -> None:
        """The backward pass begins."""
        self._listen(mark, "backward_part")

    def tell(self) -> Told:
        """What this rank brought to exchanges inside steps, in the mean over all steps so far."""
        if self._crew is None or not self._num_steps:
            return {}
        return {
            "exchanged_bytes": self._traffic.num_bytes / self._num_steps,
            "num_exchanges": self._traffic.num_exchanges / self._num_steps,
        }

    def _listen(self, mark: Mark, phase: PhaseName) -> None:
        # The host does not wait for messages between GPUs, and a mark would make it wait for all of its work.
        if self._crew is not None and self._crew.device.type == "cpu":
            self._traffic.listen(partial(mark, phase), partial(mark, "communication"))


class SlabSamples:
    """Samples of which one rank reads its planes only."""

    def __init__(self, samples: Samples, planes: tuple[int, int]) -> None:
        self._samples = samples
        self._planes = planes
        self.channel_mean = samples.channel_mean
        self.channel_std = samples.channel_std

    def __len__(self) -> int:
        return len(self._samples)

    def read(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
        """Counts [batch, channel, planes, y, z] and targets [batch, 4] of some samples."""
        return self._samples.read(indices, planes=self._planes)


PartSamples = Samples | SlabSamples


def open_part(architecture: Architecture, surroundings: Surroundings) -> SamplePart:
    """This rank's part; where ranks share samples, all of them call it.

    Raises:
        ProblemError: for more ranks than can share a sample.
    """
    num_ranks = surroundings.degrees.spatial_parallel
    if num_ranks == 1:
        return SamplePart(architecture)
    try:
        SampleDivision(architecture=architecture, num_ranks=num_ranks)
    except ArchitectureError as error:
        raise ProblemError(str(error)) from error
    group: dist.ProcessGroup = surroundings.connect()
    return SamplePart(architecture, Crew(group=group, device=torch.device(surroundings.device)))


def part_notes(told: Sequence[Told]) -> Mapping[str, str]:
    """What the ranks of a point told of their parts, as notes: means over ranks."""
    names = ("exchanged_bytes", "num_exchanges")
    return {
        f"{name}_per_step": f"{sum(one[name] for one in told) / len(told):.6g}"
        for name in names
        if told and all(name in one for one in told)
    }

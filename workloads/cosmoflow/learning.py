"""Learning from samples in memory: a plan decides every step, so that a learner can stop and go on."""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from augment.problem import ProblemError
from cosmology import network as family
from cosmology.architecture import Architecture
from cosmology.durable_file import durable_file
from workloads.cosmoflow.batches import BatchOrder
from workloads.cosmoflow.evaluation import Errors, Reader, mean_absolute_errors, predictions
from workloads.cosmoflow.examples import Examples, moved
from workloads.cosmoflow.optimizers import Optimizer, Optimizers
from workloads.precision import Precision


class Augmentation(StrEnum):
    """How samples differ each time they are shown."""

    NONE = "none"
    SYMMETRIES = "symmetries"
    """Turned by one of the 48 symmetries of the cube; rolled too, where samples are whole boxes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningPlan:
    """All that decides how a network learns, besides its samples.

    The rate rises linearly over ``warm_up_steps``, then falls by a cosine to 0 at ``num_steps``.
    """

    architecture: Architecture
    learning_rate: float
    """At its peak."""
    batch: int
    num_steps: int
    warm_up_steps: int = 0
    optimizer: Optimizer = Optimizer.SGD
    augmentation: Augmentation = Augmentation.SYMMETRIES
    weight_decay: float = 0.0
    """Of products and convolutions, apart from the gradient; biases do not decay."""
    most_gradient_norm: float = 1.0
    """Longer gradients are shortened to this."""
    precision: Precision = Precision.FLOAT32
    """Of products while it learns; predictions are made in float32."""
    kernels: family.Kernels = "torch"
    """``own``: the same to rounding, and on CPUs that multiply bfloat16 faster; needs a C++ compiler."""
    seed: int = 0
    """Decides first weights, order and views of the samples."""

    def __post_init__(self) -> None:
        if self.num_steps < 1 or not 0 <= self.warm_up_steps <= self.num_steps:
            raise ProblemError(
                f"{self.num_steps} steps of which {self.warm_up_steps} warm up cannot be; give at least 1, "
                "and no more that warm up than there are."
            )
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ProblemError(f"learning_rate is {self.learning_rate}; give a number above 0.")

    def rate_at(self, step: int) -> float:
        """Learning rate of one step, the first being 0."""
        if step < self.warm_up_steps:
            return self.learning_rate * (step + 1) / self.warm_up_steps
        done = (step - self.warm_up_steps) / max(1, self.num_steps - self.warm_up_steps)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


class Learner:
    """A network that learns by a plan; learners of the same plan and samples do the same, step for step."""

    def __init__(
        self, plan: LearningPlan, train: Examples, device: str = "cpu", start: nn.Module | None = None
    ) -> None:
        """``start`` is the network to begin with, taken over; without one the plan's seed makes its weights.

        Raises:
            ProblemError: when a batch is more than the samples.
        """
        self.plan = plan
        self.num_steps_done = 0
        self._train = train
        self._device = torch.device(device)
        self._order = BatchOrder(
            seed=plan.seed, num_samples=len(train), batch_per_rank=plan.batch, num_ranks=1
        )
        recipe = plan.architecture.recipe
        self.network = start or family.build(
            plan.architecture, seed=plan.seed, recipe=recipe, kernels=plan.kernels
        )
        self.network.to(self._device)
        self.network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # stub lacks it
        self.reader = Reader(train, recipe, self._device)
        self._optimizers = Optimizers(
            plan.optimizer, self.network, rate=plan.learning_rate, weight_decay=plan.weight_decay
        )

    def advance(self, num_steps: int) -> tuple[float, ...]:
        """Mean squared errors of the next steps, fewer where the plan ends before."""
        last = min(self.num_steps_done + num_steps, self.plan.num_steps)
        return tuple(self._step() for _ in range(self.num_steps_done, last))

    def predictions(self, examples: Examples, *, num_views: int = 1) -> NDArray[np.float32]:
        """Normalised targets [sample, 4], each the mean over ``num_views`` symmetric views."""
        return predictions(self.network, examples, self.reader, num_views)

    def mean_absolute_errors(self, examples: Examples, *, num_views: int = 1) -> Errors:
        """Errors of the four predictions on samples, normalised."""
        return mean_absolute_errors(self.predictions(examples, num_views=num_views), examples)

    def state_dict(self) -> dict[str, Tensor]:
        """All that a learner of the same plan and samples needs to go on from here."""
        state = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        state |= {f"optimizer.{name}": value for name, value in self._optimizers.state_dict().items()}
        state["num_steps_done"] = torch.tensor(self.num_steps_done)
        return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in state.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from where ``state_dict`` was taken."""
        self.network.load_state_dict(_below("network", state))
        self._optimizers.load_state_dict(_below("optimizer", state))
        self.num_steps_done = int(state["num_steps_done"])

    def save(self, path: Path) -> None:
        """Write the state to a file that appears whole or not at all."""
        with durable_file(path) as temporary:
            save_file(self.state_dict(), temporary)

    def load(self, path: Path) -> None:
        """Go on from a saved state."""
        self.load_state_dict(load_file(path))

    def save_network(self, path: Path) -> None:
        """Write the weights alone, for ``load_network``."""
        state = self.network.state_dict()
        weights = {name: value.detach().cpu().contiguous() for name, value in state.items()}
        with durable_file(path) as temporary:
            save_file(weights, temporary)

    def _step(self) -> float:
        grids, targets = self._batch(self.num_steps_done)
        with self._autocast():
            predicted = self.network(grids)
        loss = functional.mse_loss(predicted.float(), targets)
        self._optimizers.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(self.network.parameters(), self.plan.most_gradient_norm)
        self._optimizers.step(self.plan.rate_at(self.num_steps_done))
        self.num_steps_done += 1
        return float(loss.detach())

    def _autocast(self) -> AbstractContextManager[Any]:  # Any: what it gives is not used
        is_lower = self.plan.precision is Precision.BFLOAT16
        return torch.autocast(self._device.type, torch.bfloat16) if is_lower else nullcontext()

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        places = self._order.indices(step, 0)
        targets = torch.from_numpy(self._train.targets[places]).to(self._device)
        if self.plan.augmentation is Augmentation.NONE:
            return self.reader.read(self._train.counts[places]), targets
        # A generator of its own for each step: a learner that went on draws what it would have drawn.
        chance = np.random.Generator(np.random.PCG64(np.random.SeedSequence((self.plan.seed, 1, step))))
        cubes = [moved(self._train, int(place), chance) for place in places]
        return self.reader.read(np.stack(cubes)), targets


def load_network(architecture: Architecture, path: Path) -> family.Network:
    """The network that ``save_network`` wrote, on the CPU."""
    network = family.build(architecture, seed=0, recipe=architecture.recipe)
    network.load_state_dict(load_file(path))
    return network


def _below(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    inside = {name: value for name, value in state.items() if name.startswith(f"{prefix}.")}
    return {name.removeprefix(f"{prefix}."): value for name, value in inside.items()}

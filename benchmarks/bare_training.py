"""The training in memory that overhead is measured on, and how an excess is taken from pairs of windows."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from cosmology import network
from cosmology.architecture import Architecture, Recipe, num_stages
from saih.domain.interval import Interval, median, median_interval
from saih.harness.decision import CHECK_EVERY_NS
from workloads.protocol import Mark

BATCH = 4


class Optimizer(Protocol):
    """What a step needs of an optimizer."""

    def step(self) -> object:
        """Descend."""

    def zero_grad(self, *, set_to_none: bool) -> None:
        """Drop the gradients."""


class Training:
    """Training on a few batches in memory; a session for the harness, and plain steps for the bare loop."""

    def __init__(self, resolution: int, width: int) -> None:
        stages = tuple(width * 2**stage for stage in range(num_stages(resolution)))
        architecture = Architecture(
            resolution=resolution, channels=4, stage_channels=stages, residuals_per_stage=0
        )
        self.model: nn.Module = network.build(architecture, seed=1, recipe=Recipe.SCALED)
        self.optimizer: Optimizer = torch.optim.SGD(self.model.parameters(), lr=0.001, momentum=0.9)
        generator = torch.Generator().manual_seed(1)
        shape = (BATCH, 4, resolution, resolution, resolution)
        self.batches = [
            (torch.randn(shape, generator=generator), torch.rand((BATCH, 4), generator=generator))
            for _ in range(4)
        ]

    def produce(self, step: int) -> tuple[Tensor, Tensor]:
        """A batch that is there already."""
        return self.batches[step % len(self.batches)]

    def step(self, batch: tuple[Tensor, Tensor], mark: Mark) -> Tensor:
        """One descent, as the CosmoFlow session does it."""
        grids, targets = batch
        mark("input_wait")
        loss = functional.mse_loss(self.model(grids), targets)
        mark("forward")
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        mark("backward")
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        mark("optimizer")
        return loss.detach()

    def bare_window(self, num_steps: int) -> None:
        """The same descents without anybody watching."""
        for step in range(num_steps):
            grids, targets = self.batches[step % len(self.batches)]
            loss = functional.mse_loss(self.model(grids), targets)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            loss.item()

    def close(self) -> None:
        """Nothing is open."""


def excess(pairs: Sequence[tuple[float, float]], checks_s: Sequence[float]) -> Interval:
    """Median excess of the second over the first of each pair, and of the checks between [%]."""
    check_percent = 100 * median(checks_s) / (CHECK_EVERY_NS / 1e9)
    return median_interval([100 * (second / first - 1) + check_percent for first, second in pairs])

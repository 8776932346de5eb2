"""CosmoFlow and its training loop as most people write them in torch: what the step of SAIH is held against.

Nothing here is clever, and nothing is made slow: modules of torch.nn in a Sequential, float32, torch's own
order of memory, stochastic gradient descent with momentum, the loss read at every step.
"""

from collections.abc import Sequence
from itertools import cycle

import torch
from torch import Tensor, nn

from cosmology.architecture import Architecture

Batch = tuple[Tensor, Tensor]
"""Grids [batch, channel, x, y, z] and targets [batch, 4], in the memory of the host."""


def plain_cosmoflow(architecture: Architecture) -> nn.Module:
    """The network of a member without residuals and normalisation."""
    layers: list[nn.Module] = []
    channels = architecture.channels
    for stage_channels in architecture.stage_channels:
        layers += [
            nn.Conv3d(channels, stage_channels, kernel_size=3, padding=1),
            nn.LeakyReLU(0.3),
            nn.MaxPool3d(2),
        ]
        channels = stage_channels
    layers += [
        nn.Flatten(),
        nn.Linear(64 * channels, 128),
        nn.LeakyReLU(0.3),
        nn.Linear(128, 64),
        nn.LeakyReLU(0.3),
        nn.Linear(64, 4),
        nn.Tanh(),
    ]
    return nn.Sequential(*layers)


class PlainLoop:
    """The loop, over batches that are there already."""

    def __init__(self, architecture: Architecture, batches: Sequence[Batch], device: str) -> None:
        torch.manual_seed(1)
        self.device = device
        self.model = plain_cosmoflow(architecture).to(device)
        self.loss_of = nn.MSELoss()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.001, momentum=0.9)
        self.batches = cycle(batches)

    def train(self, num_steps: int) -> float:
        """So many steps; gives the sum of their losses."""
        running_loss = 0.0
        for _ in range(num_steps):
            grids, targets = next(self.batches)
            grids, targets = grids.to(self.device), targets.to(self.device)
            self.optimizer.zero_grad()
            loss = self.loss_of(1.2 * self.model(grids), targets)
            loss.backward()
            self.optimizer.step()
            running_loss += loss.item()
        return running_loss

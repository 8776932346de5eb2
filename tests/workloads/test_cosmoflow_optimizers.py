"""How gradients become steps: each kind held against its definition."""

import math

import pytest
import torch
from torch import Tensor, nn

from workloads.cosmoflow.optimizers import Optimizer, Optimizers

RATE = 0.01


class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.convolution = nn.Conv3d(4, 8, 3)
        self.hidden = nn.Linear(8, 6)
        self.last = nn.Linear(6, 4)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.3, generator=generator)


def stepped(kind: Optimizer, layout: torch.memory_format, num_steps: int = 1) -> dict[str, Tensor]:
    """What the weights of each layer change by."""
    layers = Layers().to(memory_format=layout)  # type: ignore[call-overload]  # stub lacks it
    before = {name: value.detach().clone() for name, value in layers.named_parameters()}
    optimizers = Optimizers(kind, layers, rate=1.0, weight_decay=0.0)
    generator = torch.Generator().manual_seed(5)
    for _ in range(num_steps):
        optimizers.zero_grad()
        for parameter in layers.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizers.step(RATE)
    return {name: value.detach() - before[name] for name, value in layers.named_parameters()}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_steps_of_muon_are_orthogonal_and_as_large_as_those_of_adam(layout: torch.memory_format) -> None:
    changes = stepped(Optimizer.MUON, layout)
    for name in ("convolution.weight", "hidden.weight"):
        matrix = changes[name].flatten(1)
        size = RATE * 0.2 * math.sqrt(max(matrix.shape))
        singular = torch.linalg.svdvals(matrix) / size
        assert 0.6 < float(singular.min()) <= float(singular.max()) < 1.3
    adam = stepped(Optimizer.ADAM, layout)
    for name in ("last.weight", "last.bias", "convolution.bias"):
        torch.testing.assert_close(changes[name], adam[name])


@pytest.mark.parametrize("kind", [*Optimizer])
def test_the_order_of_weights_in_memory_changes_no_step(kind: Optimizer) -> None:
    one, other = (stepped(kind, layout, 3) for layout in (torch.contiguous_format, torch.channels_last_3d))
    for name, change in one.items():
        torch.testing.assert_close(change, other[name], rtol=0.03, atol=0.03 * float(change.abs().max()))


def test_a_network_of_one_layer_learns_by_adam_alone() -> None:
    layer = nn.Linear(3, 4)
    state = Optimizers(Optimizer.MUON, layer, rate=RATE, weight_decay=0.0)
    layer(torch.ones(2, 3)).sum().backward()
    state.step(RATE)
    assert all("momentum" not in name for name in state.state_dict())

"""The network with own kernels against the one of torch, in fp64."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cosmology.architecture import Architecture, Checkpointing, Normalisation, Recipe
from cosmology.network import Kernels, Network, build

PLAIN = Architecture(resolution=16, channels=4, stage_channels=(32, 64))
MEMBERS = {
    "plain": PLAIN,
    "odd": replace(PLAIN, channels=1, stage_channels=(5, 12)),
    "deep": replace(PLAIN, stage_channels=(8, 16), residuals_per_stage=1),
    "normalised": replace(PLAIN, stage_channels=(8, 16), normalisation=Normalisation.GROUP),
    "again": replace(PLAIN, checkpointing=Checkpointing.STAGES),
}


@pytest.fixture(autouse=True)
def two_threads() -> None:
    torch.set_num_threads(2)


def built(architecture: Architecture, kernels: Kernels) -> Network:
    return build(architecture, seed=3, recipe=Recipe.REFERENCE, kernels=kernels)


def grids(architecture: Architecture) -> Tensor:
    shape = (2, architecture.channels, *(3 * (architecture.resolution,)))
    return torch.randn(shape, generator=torch.Generator().manual_seed(5)).bfloat16().float()


def trained(network: Network, x: Tensor, *, is_half: bool = False) -> Tensor:
    """Loss and gradients of one step, one behind the other, in fp64."""
    with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
        predicted = network(x)
    loss = functional.mse_loss(predicted.to(x.dtype), torch.full_like(predicted, 0.5, dtype=x.dtype))
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    return torch.cat([part.double().flatten() for part in (loss.detach(), *gradients)])


@pytest.mark.parametrize("member", MEMBERS)
def test_float32_gives_what_fp64_gives(member: str) -> None:
    architecture = MEMBERS[member]
    x = grids(architecture)
    truth = trained(built(architecture, "torch").double(), x.double())
    ours = trained(built(architecture, "own"), x)
    torch.testing.assert_close(ours, truth, rtol=1e-4, atol=1e-5 * float(truth.abs().max()))


@pytest.mark.parametrize("member", MEMBERS)
def test_bfloat16_is_as_near_to_fp64_as_torch_is(member: str) -> None:
    architecture = MEMBERS[member]
    x = grids(architecture)
    truth = trained(built(architecture, "torch").double(), x.double())
    ours, theirs = (trained(built(architecture, kernels), x, is_half=True) for kernels in ("own", "torch"))
    assert (ours - truth).norm() <= 1.1 * (theirs - truth).norm()
    assert (theirs - truth).norm() < 0.1 * truth.norm()


def test_fp64_falls_back_to_the_operations_of_torch() -> None:
    x = grids(PLAIN).double()
    ours, theirs = (trained(built(PLAIN, kernels).double(), x) for kernels in ("own", "torch"))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)


def test_weights_and_their_names_are_the_same() -> None:
    ours, theirs = (built(PLAIN, kernels).state_dict() for kernels in ("own", "torch"))
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_stage_that_ranks_share_pools_after_its_hooks() -> None:
    network = built(PLAIN, "own")
    network.stages[0].is_divided = True
    seen: list[object] = []
    network.stages[0].convolutions[0].register_forward_pre_hook(lambda *_: seen.append(1))
    network(grids(PLAIN))
    assert seen

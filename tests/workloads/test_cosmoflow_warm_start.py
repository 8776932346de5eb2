import numpy as np
import pytest
import torch

from cosmology.architecture import Architecture, ArchitectureError, Normalisation
from cosmology.network import Network
from tests.workloads.learning_samples import examples
from workloads.cosmoflow.learning import Learner, LearningPlan
from workloads.cosmoflow.members import Options, member
from workloads.cosmoflow.optimizers import Optimizer
from workloads.cosmoflow.warm_start import grown, why_not

TRAIN = examples(16, side=16)


def taught(architecture: Architecture) -> Network:
    """A network that moved away from how it began, so that no weight is zero by chance."""
    plan = LearningPlan(
        architecture=architecture, learning_rate=0.01, batch=8, num_steps=6, optimizer=Optimizer.ADAM
    )
    learner = Learner(plan, TRAIN)
    learner.advance(6)
    assert isinstance(learner.network, Network)
    return learner.network


def inputs() -> torch.Tensor:
    return torch.randn(4, 2, 16, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("small", "large"),
    [
        ((1, 4), (1, 4)),
        ((1, 4), (1, 11)),
        ((1, 4), (3, 4)),
        ((2, 4), (5, 4)),
        ((2, 3), (4, 16)),
        ((3, 5), (3, 6)),
    ],
)
def test_a_grown_network_computes_what_the_small_one_did(
    small: tuple[int, int], large: tuple[int, int]
) -> None:
    before, after = (member(16, 2, depth, width) for depth, width in (small, large))
    network = taught(before)
    bigger = grown(network, before, after, seed=3)
    assert sum(parameter.numel() for parameter in bigger.parameters()) == after.num_parameters
    with torch.inference_mode():
        expected, found = network(inputs()), bigger(inputs())
    assert expected.abs().max() > 0.01
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_new_branches_learn_and_copies_part() -> None:
    before, after = member(16, 2, 1, 4), member(16, 2, 2, 8)
    bigger = grown(taught(before), before, after, seed=3)
    bigger(inputs()).square().sum().backward()
    for stage in bigger.stages:
        for layer in stage.convolutions:  # type: ignore[union-attr]  # stages of the family
            assert layer.weight.grad.abs().max() > 0
    first = bigger.stages[0].convolutions[0].weight  # type: ignore[union-attr, index]
    copy = next(new for new in range(4, 8) if torch.equal(first[new], first[0]) or new == 7)
    original = next(old for old in range(4) if torch.equal(first[old], first[copy]))
    assert not torch.equal(first.grad[copy], first.grad[original])


def test_what_was_grown_learns_further() -> None:
    before, after = member(16, 2, 1, 4), member(16, 2, 2, 8)
    plan = LearningPlan(
        architecture=after, learning_rate=0.003, batch=8, num_steps=40, optimizer=Optimizer.ADAM
    )
    learner = Learner(plan, TRAIN, start=grown(taught(before), before, after, seed=3))
    losses = learner.advance(40)
    assert np.mean(losses[-8:]) < np.mean(losses[:8])


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (member(16, 2, 1, 3), "fewer"),
        (member(16, 2, 1, 4), ""),
        (member(8, 2, 2, 4), "different grids"),
        (member(16, 4, 2, 4), "different grids"),
        (member(16, 2, 2, 4, Options(normalisation=Normalisation.GROUP)), "normalisations"),
    ],
)
def test_what_cannot_grow_is_said_and_refused(after: Architecture, reason: str) -> None:
    before = member(16, 2, 1, 4)
    assert reason in why_not(before, after)
    assert bool(why_not(before, after)) == bool(reason)
    if reason:
        with pytest.raises(ArchitectureError, match=reason):
            grown(taught(before), before, after, seed=0)


def test_a_network_that_loses_a_branch_is_refused() -> None:
    with pytest.raises(ArchitectureError, match="branches"):
        grown(taught(member(16, 2, 2, 4)), member(16, 2, 2, 4), member(16, 2, 1, 8), seed=0)

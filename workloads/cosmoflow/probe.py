"""What a network does before it learnt anything: whether signals and gradients pass through it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cosmology import network as family
from cosmology.architecture import Architecture, Recipe
from workloads.cosmoflow.evaluation import Reader
from workloads.cosmoflow.examples import Examples

_MOST_SAMPLES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The signs of a network at its start, on a batch."""

    feature_std: float
    """Standard deviation of the features that the dense layers see."""
    least_stage_std: float
    """The least standard deviation of the features behind any stage."""
    mean_answer: float
    """Mean absolute answer; where it is near the most that tanh gives, no gradient passes."""
    least_relative_gradient: float
    """Of all layers the least gradient over its weights (norms), in units of the median layer's."""
    num_layers: int


def probe(architecture: Architecture, examples: Examples, *, seed: int, device: str) -> Probe:
    """Signs of a network whose last layer is not zero yet: behind zeros all gradients are 0 at first.

    Inputs are normalised as the member's own recipe asks. The random state of torch is left alone.
    """
    network = family.build(architecture, seed=seed, recipe=Recipe.REFERENCE).to(device)
    batch = examples.rows(range(min(_MOST_SAMPLES, len(examples))))
    reader = Reader(examples, architecture.recipe, torch.device(device))
    return probe_network(network, reader.read(batch.counts), torch.from_numpy(batch.targets).to(device))


def probe_network(network: nn.Module, grids: Tensor, targets: Tensor) -> Probe:
    """The same of a given network with ``stages``, on normalised grids [batch, channel, x, y, z]."""
    stds: list[float] = []
    hooks = [
        stage.register_forward_hook(
            lambda _module, _inputs, features: stds.append(float(features.detach().std()))
        )
        for stage in network.get_submodule("stages").children()
    ]
    try:
        answers = network(grids)
    finally:
        for hook in hooks:
            hook.remove()
    functional.mse_loss(answers, targets).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    gradients = sorted(
        float(weight.grad.norm() / weight.detach().norm())
        for weight in network.parameters()
        if weight.dim() > 1 and weight.grad is not None
    )
    median = gradients[len(gradients) // 2]
    return Probe(
        feature_std=stds[-1],
        least_stage_std=min(stds),
        mean_answer=float(answers.detach().abs().mean()),
        least_relative_gradient=gradients[0] / median if median > 0 else 0.0,
        num_layers=len(gradients),
    )

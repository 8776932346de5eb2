"""Gates pass what can be learnt, and stop what is known not to be."""

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from cosmology import network as family
from cosmology.architecture import NEGATIVE_SLOPE, Recipe
from tests.workloads.learning_samples import examples
from workloads.cosmoflow.baselines import constant_errors, fit_ridge, ridge_errors
from workloads.cosmoflow.evaluation import Reader
from workloads.cosmoflow.gates import (
    REQUIRED,
    TITLES,
    Verdict,
    judge_baselines,
    judge_data,
    judge_escape,
    judge_final,
    judge_growth,
    judge_losses,
    judge_overfit,
    judge_shuffled,
    judge_start,
    not_run,
)
from workloads.cosmoflow.members import member
from workloads.cosmoflow.probe import Probe, probe, probe_network

PASSED, FAILED = Verdict.PASSED, Verdict.FAILED


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Deepened(nn.Module):
    """A network of one stage of many plain convolutions, or of residual ones that nothing scales."""

    def __init__(self, num_layers: int, *, is_residual: bool) -> None:
        super().__init__()
        self.is_residual = is_residual
        self.stages = nn.ModuleList([self._stage(num_layers)])
        self.last = nn.Linear(8 * 4**3, 4)
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.xavier_uniform_(weight, generator=torch.Generator().manual_seed(1))
            else:
                nn.init.zeros_(weight)

    def _stage(self, num_layers: int) -> nn.Module:
        channels = [2, *[8] * num_layers]
        return _Layers(
            [nn.Conv3d(a, b, 3, padding=1) for a, b in pairwise(channels)], is_residual=self.is_residual
        )

    def forward(self, x: Tensor) -> Tensor:
        return 1.2 * torch.tanh(self.last(self.stages[0](x).flatten(1)))


class _Layers(nn.Module):
    def __init__(self, layers: list[nn.Conv3d], *, is_residual: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.is_residual = is_residual

    def forward(self, x: Tensor) -> Tensor:
        for number, layer in enumerate(self.layers):
            y = functional.leaky_relu(layer(x), NEGATIVE_SLOPE)
            x = x + y if self.is_residual and number else y
        return functional.max_pool3d(x, 2)


@pytest.mark.parametrize(("depth", "width"), [(1, 4), (1, 32), (6, 8)])
def test_members_of_the_family_pass_signals_at_their_start(depth: int, width: int) -> None:
    signs = probe(member(8, 2, depth, width), examples(), seed=3, device="cpu")
    assert judge_start(signs).verdict is PASSED, signs


@pytest.mark.parametrize("branches", ["none", "unscaled"])
def test_networks_that_only_grew_deeper_are_stopped_at_their_start(branches: str) -> None:
    is_residual = branches == "unscaled"
    seen = examples()
    reader = Reader(seen, Recipe.SCALED, torch.device("cpu"))
    grids, targets = reader.read(seen.counts[:8]), torch.from_numpy(seen.targets[:8])
    signs = probe_network(Deepened(40, is_residual=is_residual), grids, targets)
    assert judge_start(signs).verdict is FAILED, signs
    assert (signs.feature_std > 5) is is_residual
    shallow = probe_network(Deepened(2, is_residual=False), grids, targets)
    assert judge_start(shallow).verdict is PASSED, shallow


def test_a_last_layer_of_zeros_hides_every_gradient_so_it_is_probed_before() -> None:
    seen = examples()
    zeroed = family.build(member(8, 2, 1, 4), seed=3, recipe=Recipe.SCALED)
    grids = Reader(seen, Recipe.SCALED, torch.device("cpu")).read(seen.counts[:8])
    signs = probe_network(zeroed, grids, torch.from_numpy(seen.targets[:8]))
    assert signs.least_relative_gradient == 0


def test_a_ridge_finds_what_is_in_the_data_and_nothing_in_shuffled_labels() -> None:
    seen, judged = examples(120, side=8, seed=1), examples(60, side=8, seed=2)
    constant, ridge = constant_errors(seen, judged), ridge_errors(seen, judged)
    assert ridge[0] < 0.3 * constant[0]  # the mean tells it
    assert ridge[1] < 0.6 * constant[1]  # the spread tells it
    assert min(ridge[2:]) > 0.85 * min(constant[2:])  # nothing tells them
    shuffled = np.mean(ridge_errors(seen.with_shuffled_targets(5), judged))
    assert shuffled > np.mean(constant) - 0.03


def test_a_ridge_that_learnt_from_noise_does_not_pass_by_chance() -> None:
    """Its error comes below the constant's for some of these labels."""
    seen, judged = examples(60, side=8, seed=1), examples(40, side=8, seed=2)
    shares = []
    for seed in range(12):
        noise = seen.with_shuffled_targets(seed)
        constant, ridge = (
            float(np.mean(errors(noise, judged))) for errors in (constant_errors, ridge_errors)
        )
        shares.append(ridge / constant)
        assert judge_baselines(constant, ridge, 60, 40).verdict is FAILED
    assert min(shares) < 1


def test_folds_choose_a_greater_penalty_where_there_is_nothing_to_find() -> None:
    seen = examples(60, side=8)
    assert fit_ridge(seen.with_shuffled_targets(2)).penalty > fit_ridge(seen).penalty


def signs(**changes: float) -> Probe:
    found = {"feature_std": 0.4, "least_stage_std": 0.3, "mean_answer": 0.2, "least_relative_gradient": 0.1}
    return Probe(**{**found, **changes}, num_layers=8)


@pytest.mark.parametrize(
    "changes",
    [
        {"feature_std": 1e-4},
        {"feature_std": 69.0},
        {"feature_std": math.nan},
        {"mean_answer": 1.19},
        {"least_relative_gradient": 1e-6},
    ],
)
def test_each_sign_alone_fails_the_start(changes: dict[str, float]) -> None:
    assert judge_start(signs()).verdict is PASSED
    assert judge_start(signs(**changes)).verdict is FAILED


def test_every_gate_has_both_verdicts_and_says_its_numbers() -> None:
    losses = [1 / (1 + step / 40) for step in range(200)]
    pairs = {
        "G1": (judge_overfit(0.03, 32, 200), judge_overfit(0.08, 32, 200)),
        "G2": (judge_baselines(0.5, 0.31, 200, 50), judge_baselines(0.5, 0.48, 200, 50)),
        "G3": (judge_escape(0.42, 0.5, 100, 1), judge_escape(0.49, 0.5, 100, 2)),
        "G4": (judge_shuffled(0.51, 0.5), judge_shuffled(0.4, 0.5)),
        "G5": (
            judge_final(0.3, 0.31, is_reference=False, num_steps=9),
            judge_final(0.3, 0.31, is_reference=True, num_steps=9),
        ),
        "G6": (judge_losses(losses, 0.2, 0.3), judge_losses(losses[::-1], 0.2, 0.3)),
        "G7": (
            judge_growth({"universes": [("64", 0.4), ("128", 0.38), ("256", 0.39)]}),
            judge_growth({"universes": [("64", 0.38), ("128", 0.45)]}),
        ),
        "G8": (judge_data([], ["9 files verify"], {}), judge_data(["a.h5: bad"], ["9 files verify"], {})),
    }
    assert {*pairs, "G0"} == set(TITLES) > set(REQUIRED)
    for name, (passed, failed) in pairs.items():
        assert (passed.name, passed.verdict) == (name, PASSED)
        assert (failed.name, failed.verdict) == (name, FAILED)
        assert passed.statement != failed.statement
        assert passed.told["title"] == TITLES[name]


def test_a_loss_that_is_no_number_and_a_gap_to_other_universes_fail() -> None:
    falling = [1 / (1 + step) for step in range(50)]
    assert judge_losses([*falling[:20], math.nan], 0.1, 0.1).verdict is FAILED
    assert "step 21" in judge_losses([*falling[:20], math.nan], 0.1, 0.1).statement
    assert judge_losses(falling, 0.1, 0.25).verdict is FAILED


def test_what_did_not_run_says_why_and_is_no_failure() -> None:
    gate = not_run("G5", "the time was over")
    assert gate.told["verdict"] == "not run"
    assert judge_growth({"universes": [("64", 0.4)]}).verdict is Verdict.NOT_RUN


@given(st.lists(st.floats(0.01, 10, allow_nan=False), min_size=1, max_size=60))
def test_losses_that_never_rise_always_pass(losses: list[float]) -> None:
    falling = sorted(losses, reverse=True)
    assert judge_losses(falling, 0.2, 0.2).verdict is PASSED

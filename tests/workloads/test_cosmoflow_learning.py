from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from augment.problem import ProblemError
from cosmology import network
from cosmology.kernels.pooled_convolution import pooled_convolution
from tests.workloads.learning_samples import examples
from workloads.cosmoflow.evaluation import mean_absolute_errors
from workloads.cosmoflow.examples import moved
from workloads.cosmoflow.learning import Augmentation, Learner, LearningPlan, load_network
from workloads.cosmoflow.members import member
from workloads.cosmoflow.milestones import Milestones
from workloads.cosmoflow.optimizers import Optimizer
from workloads.cosmoflow.recipe import standard_plan
from workloads.precision import Precision

SMALL = member(8, 2, 1, 4)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def plan(**changes: object) -> LearningPlan:
    usual = {"architecture": SMALL, "learning_rate": 0.01, "batch": 4, "num_steps": 12, "warm_up_steps": 3}
    return LearningPlan(**{**usual, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("optimizer", [*Optimizer])
def test_a_learner_that_was_stopped_does_what_it_would_have_done(
    optimizer: Optimizer, tmp_path: Path
) -> None:
    train, path = examples(), tmp_path / "learner.safetensors"
    whole, first, second = (Learner(plan(optimizer=optimizer), train) for _ in range(3))
    losses = whole.advance(12)
    begin = first.advance(5)
    first.save(path)
    second.load(path)
    assert second.num_steps_done == 5
    assert (*begin, *second.advance(99)) == losses
    for ours, theirs in zip(whole.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_own_kernels_learn_the_same_to_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    train, own = examples(side=16, channels=4), Mock(wraps=pooled_convolution)
    monkeypatch.setattr(network, "pooled_convolution", own)
    usual: dict[str, object] = {"architecture": member(16, 4, 1, 16), "precision": Precision.BFLOAT16}
    theirs = Learner(plan(**usual), train).advance(6)
    assert not own.called
    assert Learner(plan(kernels="own", **usual), train).advance(6) == pytest.approx(theirs, rel=0.02)
    assert own.call_count >= 6


def test_a_network_learns_what_samples_tell() -> None:
    train = examples(48)
    learner = Learner(plan(optimizer=Optimizer.ADAM, num_steps=150, batch=16), train)
    losses = learner.advance(150)
    assert np.mean(losses[-20:]) < 0.8 * np.mean(losses[:5])
    told, _, untold, _ = learner.mean_absolute_errors(examples(48, seed=1))
    assert told < 0.75 * untold


def test_the_mean_over_all_views_does_not_know_how_a_sample_lies() -> None:
    judged = examples(4)
    turned = type(judged)(
        counts=judged.counts[:, :, ::-1].transpose(0, 1, 3, 2, 4).copy(),
        targets=judged.targets,
        universes=judged.universes,
    )
    learner = Learner(plan(optimizer=Optimizer.ADAM), examples())
    learner.advance(12)
    one, other = (learner.predictions(shown, num_views=48) for shown in (judged, turned))
    np.testing.assert_allclose(one, other, atol=1e-6)
    assert not np.allclose(learner.predictions(judged), learner.predictions(turned), atol=1e-6)


@given(warm_up=st.integers(0, 20), rest=st.integers(1, 40))
def test_the_rate_rises_to_its_peak_and_falls_towards_zero(warm_up: int, rest: int) -> None:
    one = plan(num_steps=warm_up + rest, warm_up_steps=warm_up)
    rates = [one.rate_at(step) for step in range(warm_up + rest + 1)]
    assert max(rates) == pytest.approx(one.learning_rate)
    assert rates[: warm_up + 1] == sorted(rates[: warm_up + 1])
    assert rates[warm_up:] == sorted(rates[warm_up:], reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-12)
    assert all(rate > 0 for rate in rates[:-1])


@pytest.mark.parametrize(
    "changes",
    [{"num_steps": 0}, {"warm_up_steps": 13}, {"learning_rate": 0.0}, {"learning_rate": float("nan")}],
)
def test_a_plan_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ProblemError, match="give"):
        plan(**changes)


def test_a_batch_above_the_samples_is_refused() -> None:
    with pytest.raises(ProblemError, match="a smaller batch"):
        Learner(plan(batch=25), examples())


@given(seed=st.integers(0, 2**32), is_whole=st.booleans())
def test_a_moved_sample_has_the_same_counts_elsewhere(seed: int, is_whole: bool) -> None:  # noqa: FBT001
    shown = examples(2, per_universe=1 if is_whole else 2)
    cube = moved(shown, 1, np.random.default_rng(seed))
    assert cube.shape == shown.counts[1].shape
    for old, new in zip(shown.counts[1], cube, strict=True):
        np.testing.assert_array_equal(np.sort(old, axis=None), np.sort(new, axis=None))
    if not is_whole:  # a cut is never rolled: its corners stay corners
        corners = np.ix_([0, 1], [0, -1], [0, -1], [0, -1])
        assert sorted(shown.counts[1][corners].ravel()) == sorted(cube[corners].ravel())


def test_parts_of_samples_share_no_universe() -> None:
    shown = examples(20, per_universe=3)
    train, judged = shown.split(0.2)
    assert len(train) + len(judged) == 60
    assert len(set(judged.universes)) == 4
    assert not set(train.universes) & set(judged.universes)
    with pytest.raises(ProblemError, match="more universes"):
        examples(2).split(0.1)


def test_shuffled_targets_belong_to_another_universe_and_stay_together() -> None:
    shown = examples(20, per_universe=3)
    control = shown.with_shuffled_targets(seed=1)
    np.testing.assert_array_equal(np.sort(control.targets, axis=0), np.sort(shown.targets, axis=0))
    assert (control.targets != shown.targets).any(axis=1).mean() > 0.8
    for universe in range(20):
        assert len(np.unique(control.targets[control.universes == universe], axis=0)) == 1


def test_moments_are_those_of_the_logarithm() -> None:
    shown = examples(5)
    logs = np.log1p(shown.counts.astype(np.float64))
    mean, std = shown.moments
    np.testing.assert_allclose(mean, logs.mean(axis=(0, 2, 3, 4)), rtol=1e-6)
    np.testing.assert_allclose(std, logs.std(axis=(0, 2, 3, 4)), rtol=1e-6)


def test_a_saved_network_gives_the_same_predictions(tmp_path: Path) -> None:
    train, path = examples(), tmp_path / "network.safetensors"
    learner = Learner(plan(), train)
    learner.advance(4)
    learner.save_network(path)
    again = Learner(plan(), train, start=load_network(SMALL, path))
    np.testing.assert_array_equal(again.predictions(train), learner.predictions(train))


def test_milestones_keep_the_best_weights_and_go_on_after_a_kill(tmp_path: Path) -> None:
    train, judged = examples(32).split(0.25)
    path = tmp_path / "training.safetensors"
    one = plan(optimizer=Optimizer.ADAM, augmentation=Augmentation.NONE, learning_rate=0.2, num_steps=24)

    def begun(where: Path | None) -> Milestones:
        return Milestones(Learner(one, train), judged, where)

    whole = begun(None)
    errors = [whole.reach(milestone) for milestone in (0, 8, 24)]
    assert begun(path).reach(8) == errors[1]
    again = begun(path)
    assert again.reach(24) == errors[2]
    assert again.best_error == min(errors[1:])
    best = again.best_learner()
    assert sum(best.mean_absolute_errors(judged)) / 4 == again.best_error
    again.forget()
    assert not path.exists()


def test_a_torn_state_costs_time_and_nothing_else(tmp_path: Path) -> None:
    train, judged = examples(32).split(0.25)
    path = tmp_path / "training.safetensors"
    expected = Milestones(Learner(plan(), train), judged, path).reach(6)
    path.write_bytes(path.read_bytes()[:-7])
    assert Milestones(Learner(plan(), train), judged, path).reach(6) == expected


def test_the_standard_plan_takes_smaller_steps_in_wider_networks() -> None:
    plans = [standard_plan(member(8, 2, 1, width), num_steps=10, seed=0) for width in (8, 64, 128)]
    rates = [one.learning_rate for one in plans]
    assert rates[0] > rates[1] == 2 * rates[2]


def test_errors_are_means_over_samples() -> None:
    judged = examples(6)
    assert mean_absolute_errors(judged.targets + np.float32(0.25), judged) == pytest.approx((0.25,) * 4)

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from augment.problem import Problem, ProblemError, Shape
from cosmology.definition import DatasetError
from workloads.cosmoflow.batches import BatchOrder
from workloads.cosmoflow.training import CosmoFlowJob
from workloads.protocol import PhaseName, Surroundings


class Alone:
    """A gradient exchange without anybody else."""

    def attach(self, model: Any) -> Any:
        return model


def problem(resolution: int = 8, width: int = 4, depth: int = 1, samples: int = 16) -> Problem:
    data = Shape.of(samples=samples, resolution=resolution, channels=2, universes=2)
    return Problem(data=data, model=Shape.of(depth=depth, width=width))


def surroundings(folder: Path, **changes: Any) -> Surroundings:
    usual = {
        "rank": 0,
        "num_ranks": 1,
        "device": "cpu",
        "precision": "float32",
        "batch_per_rank": 4,
        "seed": 1,
        "data_folder": folder,
        "exchange": Alone(),
    }
    return Surroundings(**{**usual, **changes})


def losses(folder: Path, num_steps: int, of: Problem, **changes: Any) -> list[float]:
    session = CosmoFlowJob().prepare(of, surroundings(folder, **changes))
    try:
        return [float(session.step(session.produce(step), lambda phase: None)) for step in range(num_steps)]
    finally:
        session.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path, job = tmp_path_factory.mktemp("data"), CosmoFlowJob()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    for resolution in (8, 16):
        for rank in (0, 1):
            job.generate(problem(resolution), path, rank, 2, lambda text: None)
        job.seal(problem(resolution), path)
    yield path
    torch.set_num_threads(before)


def test_ranks_read_disjoint_parts_of_the_batch_that_one_rank_would_read() -> None:
    four = BatchOrder(seed=7, num_samples=37, batch_per_rank=2, num_ranks=4)
    one = BatchOrder(seed=7, num_samples=37, batch_per_rank=8, num_ranks=1)
    for step in range(12):
        parts = np.concatenate([four.indices(step, rank) for rank in range(4)])
        np.testing.assert_array_equal(parts, one.indices(step, 0))
        assert len(set(parts.tolist())) == 8


def test_an_epoch_shows_no_sample_twice_and_the_next_has_another_order() -> None:
    order = BatchOrder(seed=7, num_samples=32, batch_per_rank=4, num_ranks=1)
    epochs = [np.concatenate([order.indices(8 * epoch + step, 0) for step in range(8)]) for epoch in range(2)]
    assert [sorted(epoch.tolist()) for epoch in epochs] == [list(range(32))] * 2
    assert epochs[0].tolist() != epochs[1].tolist()


def test_a_global_batch_above_the_data_set_is_refused() -> None:
    with pytest.raises(ProblemError, match="4 ranks x 8 = 32 samples is more than the data set's 31"):
        BatchOrder(seed=1, num_samples=31, batch_per_rank=8, num_ranks=4)


@pytest.mark.slow
def test_batches_are_standardised_by_channel(folder: Path) -> None:
    session = CosmoFlowJob().prepare(problem(16), surroundings(folder, batch_per_rank=16))
    grids, targets = session.produce(0)
    session.close()
    assert grids.shape == (16, 2, 16, 16, 16)
    assert (grids.dtype, targets.dtype) == (torch.float32, torch.float32)
    torch.testing.assert_close(grids.mean((0, 2, 3, 4)), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(grids.std((0, 2, 3, 4)), torch.ones(2), atol=1e-3, rtol=0)
    assert targets.abs().max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("resolution", "width", "depth"), [(8, 2, 1), (8, 16, 1), (16, 4, 1), (16, 4, 3), (16, 16, 2)]
)
def test_the_loss_falls_within_tens_of_steps(folder: Path, resolution: int, width: int, depth: int) -> None:
    history = losses(folder, 60, problem(resolution, width, depth))
    assert np.mean(history[-8:]) < 0.7 * np.mean(history[:8])


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_that_computes_stages_again_takes_the_same_steps(folder: Path, precision: str) -> None:
    plain = problem(16, depth=3)
    model = plain.model.with_sizes({"normalisation": "group"})
    again = model.with_sizes({"checkpointing": "stages"})
    kept, recomputed = (
        losses(folder, 6, replace(plain, model=one), precision=precision) for one in (model, again)
    )
    assert kept == recomputed


@pytest.mark.slow
def test_bfloat16_follows_float32(folder: Path) -> None:
    exact = losses(folder, 10, problem(16))
    rounded = losses(folder, 10, problem(16), precision="bfloat16")
    np.testing.assert_allclose(rounded, exact, rtol=0.05)
    assert rounded != exact


@pytest.mark.slow
def test_the_same_seed_gives_the_same_losses_and_another_seed_others(folder: Path) -> None:
    assert losses(folder, 5, problem()) == losses(folder, 5, problem())
    assert losses(folder, 5, problem()) != losses(folder, 5, problem(), seed=2)


@pytest.mark.slow
def test_a_step_names_its_phases_in_order(folder: Path) -> None:
    session = CosmoFlowJob().prepare(problem(), surroundings(folder))
    phases: list[PhaseName] = []
    session.step(session.produce(0), phases.append)
    session.close()
    assert phases == ["input_wait", "forward", "backward", "optimizer"]


@pytest.mark.slow
def test_an_unknown_precision_is_refused_with_the_known_ones(folder: Path) -> None:
    with pytest.raises(ProblemError, match=r"'float8' is unknown; use float32"):
        CosmoFlowJob().prepare(problem(), surroundings(folder, precision="float8"))


def test_training_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        CosmoFlowJob().prepare(problem(), surroundings(tmp_path))

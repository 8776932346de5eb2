"""Training on batches that are made in memory: no data set, the same shapes, the same for the same seed."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cosmology.definition import DatasetDefinition
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import Outcome
from saih.domain.supply import Supply
from tests.harness.staged_points import PROBLEM
from tests.workloads.job_by_hand import measured
from tests.workloads.test_cosmoflow_training import problem, surroundings
from workloads.cosmoflow.synthetic import SyntheticDataset
from workloads.cosmoflow.training import CosmoFlowJob
from workloads.telling import FedSession

DEFINITION = DatasetDefinition(seed=0, num_samples=6, num_universes=2, resolution=16)


def test_samples_have_the_shapes_of_the_data_set_and_follow_their_law() -> None:
    dataset = SyntheticDataset(DEFINITION, seed=3)
    counts, targets = dataset.read([0, 5])
    assert len(dataset) == 6
    assert counts.shape == (2, *DEFINITION.sample_shape)
    assert (counts.dtype, targets.dtype, targets.shape) == (np.uint16, np.float32, (2, 4))
    assert abs(counts.mean() - 1.0) < 0.02
    logs = np.log1p(counts.astype(np.float64))
    assert np.allclose(logs.mean(), dataset.channel_mean, atol=0.01)
    assert np.allclose(logs.std(), dataset.channel_std, atol=0.01)
    assert (np.abs(targets) <= 1).all()


def test_a_seed_gives_the_same_samples_and_planes_are_parts_of_them() -> None:
    whole = SyntheticDataset(DEFINITION, seed=3).read([4])[0]
    again, other = (SyntheticDataset(DEFINITION, seed=seed).read([4], (2, 9))[0] for seed in (3, 4))
    assert np.array_equal(again, whole[:, :, 2:9])
    assert not np.array_equal(other, again)


def test_a_session_trains_on_them_without_any_data_set(tmp_path: Path) -> None:
    session = CosmoFlowJob().prepare(problem(), surroundings(tmp_path, input="synthetic"))
    try:
        assert isinstance(session, FedSession)
        losses = [float(session.step(session.produce(step), lambda phase: None)) for step in range(3)]
    finally:
        session.close()
    assert all(np.isfinite(losses))
    assert not list(tmp_path.iterdir())
    assert torch.is_grad_enabled()


@pytest.mark.slow
def test_a_job_measures_synthetic_and_staged_points_and_notes_what_staging_took(tmp_path: Path) -> None:
    placement = Placement(ranks_per_node=2, data_parallel=2)
    points = tuple(
        Point(
            workload="cosmoflow",
            problem=PROBLEM,
            batch_per_rank=2,
            precision="float32",
            exchange="ddp",
            placement=placement,
            timing=Timing(max_steps=10, budget_s=1),
            seed=1,
            supply=supply,
        )
        for supply in (Supply(input="synthetic"), Supply(staging="node"), Supply())
    )
    job = CosmoFlowJob()
    data = tmp_path / "data"
    job.generate(PROBLEM, data, 0, 1, lambda text: None)
    job.seal(PROBLEM, data)
    synthetic, staged, plain = measured(tmp_path, placement, points)
    for record in (synthetic, staged, plain):
        assert record.result.outcome is Outcome.COMPLETED, record.result.reason
    assert float(staged.result.notes["staging_s"]) > 0
    assert int(staged.result.notes["staged_bytes"]) > 0
    assert "staging_s" not in plain.result.notes
    assert "staging_s" not in synthetic.result.notes
    # The same samples in the same order, wherever they are read.
    assert staged.result.steps is not None
    assert plain.result.steps is not None
    assert staged.result.steps.losses[:8] == plain.result.steps.losses[:8]

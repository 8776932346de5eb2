import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from augment.problem import Problem, Shape
from saih.domain.job import Job, Task
from saih.domain.point import Exchange, Placement, Point, Timing
from saih.domain.record import ADDITIVE_PHASES, Phase, Record, Steps
from saih.store.codec import encode_job
from saih.store.sweep_folder import SweepFolder, read_records

pytestmark = pytest.mark.slow
LIMIT_S = 180
GLOBAL_BATCH = 8
NUM_STEPS = 8


def run(folder: Path, task: Task, exchange: Exchange, num_ranks: int, spatial: int = 1) -> None:
    num_replicas = num_ranks // spatial
    placement = Placement(ranks_per_node=num_ranks, data_parallel=num_replicas, spatial_parallel=spatial)
    point = Point(
        workload="cosmoflow",
        problem=Problem(
            data=Shape.of(samples=16, resolution=8, channels=2, universes=2),
            model=Shape.of(depth=2, width=4),
        ),
        batch_per_rank=GLOBAL_BATCH // num_replicas,
        precision="float64",
        exchange=exchange,
        placement=placement,
        timing=Timing(warmup_steps=0, min_steps=NUM_STEPS, max_steps=NUM_STEPS),
        seed=3,
    )
    job = Job(
        task=task,
        sweep_name=f"{exchange}-{num_ranks}-{spatial}",
        results_folder=str(folder / "results"),
        data_folder=str(folder / "data"),
        placement=placement,
        points=(point,),
        watchdog_s=90,
    )
    path = folder / f"{task}-{exchange}-{num_ranks}-{spatial}.json"
    path.write_bytes(encode_job(job))
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    launcher = str(Path(sys.executable).with_name("mpirun"))
    ranks = [launcher, "-n", str(num_ranks), "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
    done = subprocess.run(
        [*ranks, sys.executable, "-m", "mpi4py", "-m", "saih.worker", str(path)],
        env={**os.environ, **allowed, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def measured(folder: Path, exchange: Exchange, num_ranks: int) -> Steps:
    steps = recorded(folder, exchange, num_ranks).result.steps
    assert steps is not None
    return steps


def recorded(folder: Path, exchange: Exchange, num_ranks: int, spatial: int = 1) -> Record:
    run(folder, "measure", exchange, num_ranks, spatial)
    sweep = SweepFolder(folder / "results", f"{exchange}-{num_ranks}-{spatial}")
    (record,), damages = read_records(sweep)
    assert not damages
    return record


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("training")
    run(path, "generate", "none", 1)
    return path


@pytest.fixture(scope="module")
def alone(folder: Path) -> Steps:
    return measured(folder, "none", 1)


@pytest.mark.parametrize("num_ranks", [2, 4])
@pytest.mark.parametrize("exchange", ["ddp", "horovod"])
def test_many_ranks_have_the_losses_of_one_on_the_same_global_batch(
    folder: Path, alone: Steps, exchange: Exchange, num_ranks: int
) -> None:
    steps = measured(folder, exchange, num_ranks)
    assert len(set(alone.losses)) == NUM_STEPS
    np.testing.assert_allclose(steps.losses, alone.losses, rtol=1e-10)
    phases = {phase: np.array(rows) for phase, rows in steps.duration_ns.items()}
    np.testing.assert_array_equal(sum(phases[phase] for phase in ADDITIVE_PHASES), np.array(steps.step_ns))
    exposed, total = phases[Phase.COMMUNICATION], phases[Phase.COMMUNICATION_TOTAL]
    assert exposed.shape == (num_ranks, NUM_STEPS)
    assert (exposed > 0).all()
    assert (total >= exposed).all()


def test_without_an_exchange_ranks_side_by_side_have_other_losses(folder: Path, alone: Steps) -> None:
    steps = measured(folder, "none", 2)
    assert not np.allclose(steps.losses[2:], alone.losses[2:], rtol=1e-6)
    assert not np.array(steps.duration_ns[Phase.COMMUNICATION_TOTAL]).any()


@pytest.mark.parametrize(("exchange", "num_ranks"), [("ddp", 4), ("horovod", 2)])
def test_ranks_that_share_samples_two_by_two_have_the_losses_of_one(
    folder: Path, alone: Steps, exchange: Exchange, num_ranks: int
) -> None:
    record = recorded(folder, exchange, num_ranks, spatial=2)
    steps = record.result.steps
    assert steps is not None
    np.testing.assert_allclose(steps.losses, alone.losses, rtol=1e-10)
    phases = {phase: np.array(rows) for phase, rows in steps.duration_ns.items()}
    np.testing.assert_array_equal(sum(phases[phase] for phase in ADDITIVE_PHASES), np.array(steps.step_ns))
    assert (phases[Phase.COMMUNICATION] > 0).all()
    # Two convolutions take planes on the way forward, the second hands gradients back; one gather.
    assert float(record.result.notes["num_exchanges_per_step"]) == 2 + 1 + 1

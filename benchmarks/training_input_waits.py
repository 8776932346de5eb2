"""For how much of their steps the ranks of a preset wait for input: one job of ranks measures all points."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from saih.config.preset import preset_sweep
from saih.domain.interval import median
from saih.domain.job import Job
from saih.domain.limits import Limits
from saih.domain.point import Placement, Point
from saih.domain.record import Phase, Record
from saih.launch.mpirun import find_launcher
from saih.launch.starter import rank_environment
from saih.planner.plan import make_plan
from saih.store.codec import encode_job
from saih.store.sweep_folder import SweepFolder, read_records
from workloads.cosmoflow.training import CosmoFlowJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One point."""

    words: str
    step_ms: float
    produce_ms: float
    """Of one batch, on average over all ranks."""
    median_percent: float
    """Median wait of a step over the median step, on the rank that waits most."""
    mean_percent: float
    """Of all measured steps together: a loader that lost its processor once is in it."""
    cache_state: str


def waits_of(preset: str, overrides: Sequence[str]) -> list[Wait]:
    """Every point of a preset on its first placement; its data sets are made before, and go away."""
    sweep = preset_sweep(preset, overrides)
    points = [planned.point for planned in make_plan(sweep, Limits()).points]
    placement = points[0].placement
    with tempfile.TemporaryDirectory(prefix="saih-input-") as name:
        folder = Path(name)
        for point in {one.problem.data: one for one in points}.values():
            job = CosmoFlowJob()
            job.generate(point.problem, folder / "data", 0, 1, lambda _text: None)
            job.seal(point.problem, folder / "data")
        _measure(folder, placement, [point for point in points if point.placement == placement])
        records, _ = read_records(SweepFolder(folder / "results", "waits"))
    return [_wait(record) for record in records if record.result.steps is not None]


def _measure(folder: Path, placement: Placement, points: Sequence[Point]) -> None:
    job = Job(
        task="measure",
        sweep_name="waits",
        results_folder=str(folder / "results"),
        data_folder=str(folder / "data"),
        placement=placement,
        points=tuple(points),
    )
    path, launcher = folder / "job.json", find_launcher()
    path.write_bytes(encode_job(job))
    ranks = [str(launcher.path), "-n", str(placement.num_ranks)]
    if launcher.family == "openmpi":
        ranks += ["--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
    subprocess.run(
        [*ranks, sys.executable, "-m", "mpi4py", "-m", "saih.worker", str(path)],
        env=rank_environment(os.environ, placement),
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _wait(record: Record) -> Wait:
    steps, problem = record.result.steps, record.point.problem
    if steps is None:
        raise ValueError(f"{record.record_id} has no steps")
    waited, made = steps.duration_ns[Phase.INPUT_WAIT], steps.duration_ns[Phase.INPUT_PRODUCE]
    ranks = list(zip(waited, steps.step_ns, strict=True))
    return Wait(
        words=f"{problem.data['resolution']}^3, width {problem.model['width']}",
        step_ms=sum(steps.slowest_ns) / steps.num_steps * 1e-6,
        produce_ms=sum(map(sum, made)) / sum(map(len, made)) * 1e-6,
        median_percent=100 * max(median(own) / median(whole) for own, whole in ranks),
        mean_percent=100 * max(sum(own) / sum(whole) for own, whole in ranks),
        cache_state=record.result.notes.get("cache_state", "unknown"),
    )

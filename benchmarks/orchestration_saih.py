"""SAIH's side of the comparison: ``python -m benchmarks.orchestration_saih POINTS FOLDER``.

The driver, store, launcher and worker are those of ``saih sweep``; only the application is one that computes
nothing, and the ceilings of the machine, which are measured once for all sweeps, are written beforehand.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from augment.problem import Problem, Shape
from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import Environment, Outcome
from saih.launch.campaign import run
from saih.launch.job_run import Options
from saih.machine.environment import capture
from saih.store.ceilings_file import write_ceilings
from saih.store.sweep_folder import SweepFolder, record_definition

_PRECISION = "float32"
_PLACEMENT = Placement()


def main(arguments: Sequence[str]) -> int:
    """Bring the points to their outcomes; 1 when one is not completed."""
    num_points, root = int(arguments[0]), Path(arguments[1])
    environment = capture()
    folder = SweepFolder(root / "results", "trivial")
    record_definition(folder, {"points": num_points})
    write_ceilings(folder.root, _ceilings(environment))
    (root / "data").mkdir()
    options = Options(seed=1, worker_module="benchmarks.orchestration_worker")
    points = [_point(number) for number in range(num_points)]
    result = run(folder, points, root / "data", environment, lambda event: None, options)
    return int(any(state.outcome is not Outcome.COMPLETED for state in result.states.values()))


def _point(number: int) -> Point:
    return Point(
        workload="trivial",
        problem=Problem(data=Shape.of(number=0), model=Shape.of(number=number)),
        batch_per_rank=1,
        precision=_PRECISION,
        exchange="none",
        placement=_PLACEMENT,
        timing=Timing(warmup_steps=0, min_steps=1, max_steps=1),
        seed=1,
    )


def _ceilings(environment: Environment) -> Ceilings:
    rate = Interval(low=1.0, value=1.0, high=1.0, level=0.95, count=1)
    curve = Ceiling(
        kind=CeilingKind.GEMM,
        precision=_PRECISION,
        unit="FLOP/s",
        size_unit="side",
        sizes=(1.0,),
        rates=(rate,),
    )
    return Ceilings(
        environment_id=environment.environment_id,
        placement_label=_PLACEMENT.label,
        curves=(curve,),
        measured_utc="2026-01-01T00:00:00+00:00",
        all_reduce_latency_s=None,
        all_reduce_bytes_per_s=None,
        vendor_flops_per_s={},
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A results folder as a finished sweep of any number of points leaves it, written without measuring."""

import hashlib
import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from augment.ladder import build
from augment.problem import Problem, Shape
from saih.config.definition import define
from saih.domain.limits import Limits
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import ADDITIVE_PHASES, Environment, Outcome, Phase, Steps
from saih.domain.sweep import Sweep
from saih.planner.plan import make_plan
from saih.store import codec
from saih.store.attempt import ENVIRONMENT, OUTCOME, POINT, STEPS
from saih.store.limits_file import write_limits
from saih.store.steps_file import encode_steps
from saih.store.sweep_folder import SweepFolder, record_definition

NAME = "synthetic"
_NUM_STEPS = 20
_NUM_DURATIONS = 100
"""So many different files of steps are made and used in turn."""
_FACTS = {f"fact_{index}": "of hardware or software" for index in range(20)}
_ENVIRONMENT = Environment(facts=_FACTS, notes={"host": "node1"}, environment_id="0123456789abcdef")


def sweep_of(num_points: int, placement: Placement | None = None) -> Sweep:
    """A sweep over as many members of CosmoFlow: widths times numbers of samples."""
    num_widths = max(n for n in range(1, math.isqrt(num_points) + 1) if num_points % n == 0)
    num_samples = num_points // num_widths
    return Sweep(
        name=NAME,
        workload="cosmoflow",
        base=Problem(
            data=Shape.of(samples=8, resolution=16, channels=1, universes=8), model=Shape.of(depth=1, width=4)
        ),
        ladders=(
            build("data", {"samples": [8 * (1 + index) for index in range(num_samples)]}, "zip"),
            build("model", {"width": [4 + index for index in range(num_widths)]}, "zip"),
        ),
        batch_per_rank=2,
        precision="float32",
        exchange="none",
        placements=(placement or Placement(),),
        timing=Timing(),
        seed=1,
    )


def write_store(root: Path, num_points: int) -> int:
    """Write the folder of such a sweep with every point completed; gives its bytes."""
    folder = SweepFolder(root, NAME)
    sweep = sweep_of(num_points)
    record_definition(folder, define(sweep))
    write_limits(folder, Limits())
    points = (planned.point for planned in make_plan(sweep, Limits()).points)
    return _write_points(folder, points)


def _write_points(folder: SweepFolder, points: Iterable[Point]) -> int:
    num_bytes = 0
    environment = codec.encode_environment(_ENVIRONMENT)
    for index, point in enumerate(points):
        files = {
            POINT: codec.encode_point(point),
            ENVIRONMENT: environment,
            STEPS: _steps_file(1_000_000 * (1 + index % _NUM_DURATIONS)),
        }
        note = codec.OutcomeNote(
            point_id=point.point_id,
            attempt=1,
            environment_id=_ENVIRONMENT.environment_id,
            outcome=Outcome.COMPLETED,
            reason="",
            stop_reason=f"interval 1.0 % after {_NUM_STEPS} steps",
            notes={"hosts": "node1", "cache_state": "warm", "peak_memory_bytes": "1000000000"},
            finished_utc="2026-01-01T00:00:00+00:00",
            sha256={name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        )
        path = folder.path / point.point_id / "attempt-1"
        path.mkdir(parents=True)
        for name, data in {**files, OUTCOME: codec.encode_outcome(note)}.items():
            (path / name).write_bytes(data)
            num_bytes += len(data)
    return num_bytes


@cache
def _steps_file(step_ns: int) -> bytes:
    return encode_steps(_steps(step_ns))


def _steps(step_ns: int) -> Steps:
    """Steps around ``step_ns``, a tenth of them in each additive phase but one."""
    whole = [step_ns + 100 * step for step in range(_NUM_STEPS)]
    parts = {phase: tuple(step // 10 for step in whole) for phase in ADDITIVE_PHASES[1:]}
    rest = tuple(step - sum(rows) for step, *rows in zip(whole, *parts.values(), strict=True))
    rows: dict[Phase, tuple[tuple[int, ...], ...]] = {ADDITIVE_PHASES[0]: (rest,)}
    rows |= {phase: (part,) for phase, part in parts.items()}
    return Steps(
        duration_ns=rows,
        step_ns=(tuple(whole),),
        losses=tuple(1.0 / (1 + step) for step in range(_NUM_STEPS + 3)),
        warmup_steps=3,
    )

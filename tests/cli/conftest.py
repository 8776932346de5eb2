"""Results of a tiny sweep without a run: real files of the store, with steps that were made up.

What takes long to find out of this machine is measured once, and copied to where other sweeps run.
"""

import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from saih.commands.stage import plan_here
from saih.config.definition import define
from saih.config.sweep_file import read_sweep
from saih.domain.point import Point
from saih.domain.record import (
    ADDITIVE_PHASES,
    AttemptResult,
    Environment,
    Outcome,
    Phase,
    Steps,
    environment_id,
)
from saih.store.sweep_folder import SweepFolder, begin_attempt, finish, record_definition

TINY = """\
name: {name}
workload: cosmoflow
base:
  data: {{samples: 8, resolution: 16, channels: 1, universes: 2}}
  model: {{depth: 1, width: 4}}
axes:
  data: {{resolution: [8, 16, 32]}}
  model: {{width: [2, 4]}}
placement: {{ranks_per_node: 2}}
timing: {{warmup_steps: 1, min_steps: 3, max_steps: 50, budget_s: 0.5}}
"""
SAIH = (sys.executable, "-c", "from saih.cli import main; main()")
ALONE = """\
name: one
workload: cosmoflow
base:
  data: {samples: 8, resolution: 8, channels: 1, universes: 2}
  model: {depth: 1, width: 2}
axes:
  data: {resolution: [8, 16]}
timing: {warmup_steps: 1, min_steps: 8, max_steps: 8, budget_s: 5}
"""
FACTS = {"cpu_model": "Test 9000 \x1b[31m宇宙", "torch": "2.13"}
ENVIRONMENT = Environment(facts=FACTS, notes={"host": "n1"}, environment_id=environment_id(FACTS))
PARTS = {
    Phase.INPUT_WAIT: 0.02,
    Phase.FORWARD: 0.3,
    Phase.BACKWARD: 0.5,
    Phase.COMMUNICATION: 0.1,
    Phase.OPTIMIZER: 0.05,
    Phase.OTHER: 0.03,
}


def steps_of(typical_ns: float, count: int = 30) -> Steps:
    """Two ranks, steps that wave by some percent, a loss that falls."""
    wave = [1 + 0.05 * math.sin(7.0 * step) for step in range(count)]
    rows = {
        phase: tuple(tuple(int(typical_ns * part * factor) + rank for factor in wave) for rank in range(2))
        for phase, part in PARTS.items()
    }
    whole = tuple(
        tuple(sum(rows[phase][rank][step] for phase in ADDITIVE_PHASES) for step in range(count))
        for rank in range(2)
    )
    losses = tuple(1 / (step + 1) for step in range(count + 1))
    return Steps(duration_ns=rows, step_ns=whole, losses=losses, warmup_steps=1)


def finish_point(folder: SweepFolder, point: Point, result: AttemptResult) -> None:
    finish(begin_attempt(folder, point, ENVIRONMENT), result)


def result_of(outcome: Outcome, steps: Steps | None = None, reason: str = "") -> AttemptResult:
    return AttemptResult(
        outcome=outcome,
        reason=reason,
        stop_reason="30 steps" if steps else "",
        steps=steps,
        notes={"cache_state": "warm", "bytes_read": "36864", "hosts": "n1 \x1b[31m"},
    )


@pytest.fixture
def measured(tmp_path: Path) -> Callable[..., tuple[Point, ...]]:
    """Makes ``results/NAME``: points 1 to 4 completed, 5 out of memory after a loss, 6 begun; gives them."""

    def make(name: str = "tiny") -> tuple[Point, ...]:
        path = tmp_path / f"{name}.yaml"
        path.write_text(TINY.format(name=name))
        sweep = read_sweep(path)
        folder = SweepFolder(tmp_path / "results", name)
        record_definition(folder, define(sweep))
        points = tuple(one.point for one in plan_here(sweep, tmp_path / "data").points)
        for number, point in enumerate(points[:4], start=1):
            finish_point(folder, point, result_of(Outcome.COMPLETED, steps_of(2e6 * number)))
        finish_point(folder, points[4], result_of(Outcome.LOST, reason="rank 1 died"))
        finish_point(folder, points[4], result_of(Outcome.OUT_OF_MEMORY, reason="rank 0 was killed at 61 GB"))
        begin_attempt(folder, points[5], ENVIRONMENT)
        return points

    return make


def whole_command(folder: Path, *arguments: str) -> str:
    """What a command printed that worked."""
    done = subprocess.run(
        [*SAIH, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def swept_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which one rank swept ``one.yaml`` from nothing: with its data set, ceilings and reports."""
    path = tmp_path_factory.mktemp("alone")
    (path / "one.yaml").write_text(ALONE)
    whole_command(path, "sweep", "one.yaml")
    return path


@pytest.fixture(scope="session")
def ceilings_of_two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The ceilings of two ranks, by the command of their own: their folder, and what it printed."""
    path = tmp_path_factory.mktemp("ceilings")
    (path / "tiny.yaml").write_text(TINY.format(name="tiny"))
    printed = whole_command(path, "ceilings", "tiny.yaml")
    return path / "results" / "ceilings", printed


@pytest.fixture(scope="session")
def know_ceilings(ceilings_of_two: tuple[Path, str]) -> Callable[[Path], None]:
    """Copies the ceilings of two ranks to a folder of results, as if they had been measured there."""

    def copy(results: Path) -> None:
        shutil.copytree(ceilings_of_two[0], results / "ceilings", dirs_exist_ok=True)

    return copy

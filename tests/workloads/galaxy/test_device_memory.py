import itertools
import resource
from pathlib import Path

import pytest
import torch

from augment.problem import Problem, Shape
from workloads.galaxy.device_memory import free_bytes
from workloads.galaxy.seat import Seat
from workloads.galaxy.shapes import GalaxyShape
from workloads.galaxy.survey import survey
from workloads.transformer.place import Place

GIB = 1 << 30
# Sizes below are far above what the program of the tests takes itself: earlier tests leave it gigabytes.


@pytest.fixture
def machine(tmp_path: Path) -> tuple[Path, Path]:
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable:  {256 * GIB // 1024} kB\n")
    (proc / "self" / "cgroup").write_text("0::/edge/one\n")
    (groups / "edge" / "one").mkdir(parents=True)
    return proc, groups


def test_programs_share_what_the_machine_has(machine: tuple[Path, Path]) -> None:
    proc, groups = machine
    assert free_bytes(proc=proc, groups=groups) == round(0.9 * 256 * GIB)
    assert free_bytes(4, proc=proc, groups=groups) == round(0.9 * 64 * GIB)


@pytest.mark.parametrize(
    ("line", "file_name"),
    [
        ("0::/edge/one", "edge/memory.max"),
        ("0::/edge/one", "edge/one/memory.max"),
        ("4:memory:/edge/one", "memory/edge/one/memory.limit_in_bytes"),
    ],
)
def test_the_limit_of_a_control_group_holds(machine: tuple[Path, Path], line: str, file_name: str) -> None:
    proc, groups = machine
    (proc / "self" / "cgroup").write_text(f"3:cpu:/elsewhere\n{line}\n")
    (groups / file_name).parent.mkdir(parents=True, exist_ok=True)
    (groups / file_name).write_text(f"{128 * GIB}\n")
    found = free_bytes(proc=proc, groups=groups)
    assert 0 < found < round(0.9 * 128 * GIB)


def test_programs_share_the_limit_of_their_group_unless_it_is_their_own(machine: tuple[Path, Path]) -> None:
    proc, groups = machine
    (groups / "edge" / "memory.max").write_text(f"{128 * GIB}\n")
    alone = free_bytes(proc=proc, groups=groups)
    assert 0 < free_bytes(2, proc=proc, groups=groups) < alone / 2
    (proc / "meminfo").write_text(f"MemAvailable:  {512 * GIB // 1024} kB\n")
    assert free_bytes(2, is_group_own=True, proc=proc, groups=groups) == pytest.approx(alone, rel=0.01)


def test_a_limit_that_is_told_counts_what_the_program_takes(machine: tuple[Path, Path]) -> None:
    proc, groups = machine
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    left = free_bytes(limit_bytes=taken + GIB, proc=proc, groups=groups)
    assert 0 < left <= round(0.9 * GIB)
    assert free_bytes(limit_bytes=1000, proc=proc, groups=groups) == 0
    assert free_bytes(4, limit_bytes=taken + 255 * GIB, proc=proc, groups=groups) == round(0.9 * 64 * GIB)


def test_the_testbeds_limit_is_not_planned_with_as_a_whole() -> None:
    model = {"layers": 1, "hidden": 16, "heads": 2, "vocab": 31}
    of = Problem(data=Shape.of({"sequence": 4}), model=Shape.of(model))
    place = Place(device=torch.device("cpu"), dtype=torch.float32)
    ticks = itertools.count(step=1_000_000)
    seat = Seat(rank=0, num_ranks=1, group=None, connections={}, place=place, clock=lambda: next(ticks))
    limit = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + (1 << 28)
    environ = {"EDGE_DEVICE": "pi0", "EDGE_DEVICE_MEMORY_BYTES": str(limit)}
    (found,) = survey(GalaxyShape.from_problem(of), seat, environ).devices
    assert found.name == "pi0"
    assert found.memory_bytes <= round(0.9 * (1 << 28))


def test_no_limit_is_none(machine: tuple[Path, Path]) -> None:
    proc, groups = machine
    (groups / "edge" / "one" / "memory.max").write_text("max\n")
    assert free_bytes(proc=proc, groups=groups) == round(0.9 * 256 * GIB)

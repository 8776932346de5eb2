"""The store's writer crashes, or the disk fails, at every single system call that it makes.

A child process makes one attempt after another; the N-th call to the operating system kills it, or fails
with the error of a full or broken disk, for N = 1, 2, ... until the work survives.
"""

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import h5py  # noqa: F401 - loaded before forking, so that every child is quick
import pytest

from augment.problem import Problem, Shape
from saih.domain.errors import SaihError
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import AttemptResult, Environment, Outcome, Phase, Steps
from saih.store import files
from saih.store.sweep_folder import (
    SweepFolder,
    begin_attempt,
    finish,
    point_states,
    read_records,
    record_definition,
)

CALLS = ("open", "write", "fsync", "link", "mkdir", "unlink", "rename", "replace", "close")
ENVIRONMENT = Environment(facts={"machine": "test"}, notes={}, environment_id="e" * 16)
POINTS = tuple(
    Point(
        workload="tiny",
        problem=Problem(data=Shape.of(resolution=1), model=Shape.of(width=1)),
        batch_per_rank=1,
        precision="float32",
        exchange="none",
        placement=Placement(),
        timing=Timing(),
        seed=seed,
    )
    for seed in (1, 2)
)
SURVIVED, FAILED, TOLERATED, BROKEN = 0, 3, 4, 5


def work(folder: SweepFolder) -> None:
    """What one campaign writes: the definition, then every point that has no outcome yet."""
    record_definition(folder, {"seed": 1})
    files.remove_temporaries(folder.path)
    states = point_states(folder, [point.point_id for point in POINTS])
    for point in POINTS:
        if states[point.point_id].is_to_be_measured:
            rows = ((point.seed, 2, 3),)
            steps = Steps(duration_ns={Phase.FORWARD: rows}, step_ns=rows, losses=(0.5, 0.25), warmup_steps=0)
            result = AttemptResult(
                outcome=Outcome.COMPLETED, reason="", stop_reason="", steps=steps, notes={}
            )
            finish(begin_attempt(folder, point, ENVIRONMENT), result)


def strike_at(number: int, strike: Callable[[], None]) -> Callable[[], bool]:
    """Let the N-th call of this process to the operating system meet its fate; tells whether it came."""
    count = 0

    def struck(call: Callable[..., object]) -> Callable[..., object]:
        def instead(*arguments: object, **options: object) -> object:
            nonlocal count
            count += 1
            if count == number:
                strike()
            return call(*arguments, **options)

        return instead

    for name in CALLS:
        setattr(os, name, struck(getattr(os, name)))
    return lambda: count >= number


def in_child(folder: SweepFolder, number: int, strike: Callable[[], None]) -> int:
    """The child's end: SURVIVED all calls, TOLERATED the strike, FAILED in words, negative for a signal."""
    child = os.fork()
    if child == 0:
        status = BROKEN
        try:
            was_struck = strike_at(number, strike)
            work(folder)
            status = TOLERATED if was_struck() else SURVIVED
        except SaihError:
            status = FAILED
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def failing(number: int) -> Callable[[], None]:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    return fail


FATES = {
    "killed": (die, -signal.SIGKILL),
    "no space": (failing(errno.ENOSPC), FAILED),
    "quota": (failing(errno.EDQUOT), FAILED),
    "broken disk": (failing(errno.EIO), FAILED),
}


@pytest.mark.slow
@pytest.mark.parametrize("fate", FATES)
def test_a_crash_at_any_call_loses_nothing_doubles_nothing_and_leaves_nothing(
    tmp_path: Path, fate: str
) -> None:
    strike, expected = FATES[fate]
    statuses: list[int] = []
    while SURVIVED not in statuses:
        folder = SweepFolder(tmp_path / str(len(statuses)), "s")
        statuses.append(in_child(folder, len(statuses) + 1, strike))
        before, damages = read_records(folder)
        assert damages == ()
        work(folder)
        after, damages = read_records(folder)
        assert damages == ()
        assert [record.point.seed for record in sorted(after, key=lambda record: record.point.seed)] == [1, 2]
        assert all(record in after for record in before)
        assert list(folder.root.rglob(".*.tmp")) == []
    assert set(statuses) <= {expected, TOLERATED, SURVIVED}
    assert statuses.count(expected) > 40

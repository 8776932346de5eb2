"""Many tasks on all cores give what they give one after the other."""

import os
import signal
import time
from collections.abc import Sequence
from functools import partial

import pytest

from benchmarks.synthetic_sweep import Size, synthetic_records
from saih.analyzer.analysis import analyze
from saih.analyzer.trends import MOST_TOGETHER
from saih.commands import side_by_side as module
from saih.commands.side_by_side import FEWEST, side_by_side

IS_ALONE = len(os.sched_getaffinity(0)) == 1


def numbered(base: int, item: Sequence[int]) -> tuple[int, int]:
    time.sleep(0.001)  # so that every process comes to take some
    return base + item[0], os.getpid()


def test_many_items_are_looked_at_in_other_processes_and_keep_their_order() -> None:
    items = [[number] for number in range(FEWEST + 1)]
    found = list(side_by_side(partial(numbered, 7), items))
    assert [number for number, _ in found] == [7 + number for number in range(FEWEST + 1)]
    assert (len({process for _, process in found}) == 1) == IS_ALONE


def test_few_items_stay_in_this_process_unless_each_stands_for_many() -> None:
    items = [[number] for number in range(200)]
    assert {process for _, process in side_by_side(partial(numbered, 0), items)} == {os.getpid()}
    found = list(side_by_side(partial(numbered, 0), items, FEWEST))
    assert [number for number, _ in found] == list(range(200))
    assert (len({process for _, process in found}) == 1) == IS_ALONE


def test_an_error_comes_out_as_it_is() -> None:
    items = [[number] for number in range(FEWEST)]
    with pytest.raises(IndexError):
        list(side_by_side(partial(numbered, 0), [*items, []]))


def fatal_elsewhere(home: int, item: int) -> int:
    if os.getpid() != home:
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does for want of memory
    time.sleep(0.001)
    return item


def test_what_a_killed_process_did_not_tell_is_found_here() -> None:
    assert list(side_by_side(partial(fatal_elsewhere, os.getpid()), range(FEWEST))) == list(range(FEWEST))


def slow_at_home(home: int, item: int) -> int:
    if os.getpid() == home:
        time.sleep(0.05)
    return os.getpid()


@pytest.mark.skipif(IS_ALONE, reason="one core shares nothing out")
def test_who_is_slower_does_less() -> None:
    home = os.getpid()
    found = list(side_by_side(partial(slow_at_home, home), range(FEWEST)))
    assert found.count(home) < FEWEST / len(os.sched_getaffinity(0))


def test_no_process_is_left_over() -> None:
    found = list(side_by_side(partial(numbered, 0), [[number] for number in range(FEWEST)]))
    for process in {process for _, process in found} - {os.getpid()}:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_without_processes_from_the_system_all_is_found_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise OSError("Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    found = list(side_by_side(partial(numbered, 1), [[number] for number in range(FEWEST)]))
    assert found == [(1 + number, os.getpid()) for number in range(FEWEST)]


def test_an_analysis_is_the_same_on_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEWEST", 1)
    sizes = Size(data=8, model=10, ranks=1)
    records = [record for seed in range(5) for record in synthetic_records(sizes, seed=seed)]
    name = records[0].sweep_name
    alone = analyze(name, records, (), (), len(records))
    assert len(alone.trends) > MOST_TOGETHER  # so that lines are shared out too
    assert analyze(name, records, (), (), len(records), each=side_by_side) == alone

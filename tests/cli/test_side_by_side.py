"""Many tasks on all cores give what they give one after the other."""

import os
from collections.abc import Sequence
from functools import partial

import pytest

from benchmarks.synthetic_sweep import Size, synthetic_records
from saih.analyzer.analysis import analyze
from saih.commands import side_by_side as module
from saih.commands.side_by_side import FEWEST, side_by_side

IS_ALONE = len(os.sched_getaffinity(0)) == 1


def numbered(base: int, item: Sequence[int]) -> tuple[int, int]:
    return base + item[0], os.getpid()


def test_many_items_are_looked_at_in_other_processes_and_keep_their_order() -> None:
    items = [[number] for number in range(FEWEST + 1)]
    found = list(side_by_side(partial(numbered, 7), items))
    assert [number for number, _ in found] == [7 + number for number in range(FEWEST + 1)]
    assert (os.getpid() in {process for _, process in found}) == IS_ALONE


def test_few_items_stay_in_this_process_unless_each_stands_for_many() -> None:
    items = [[number] for number in range(4)]
    assert {process for _, process in side_by_side(partial(numbered, 0), items)} == {os.getpid()}
    found = list(side_by_side(partial(numbered, 0), items, FEWEST))
    assert [number for number, _ in found] == [0, 1, 2, 3]
    assert (os.getpid() in {process for _, process in found}) == IS_ALONE


def test_an_error_comes_out_as_it_is_and_the_next_call_works() -> None:
    items = [[number] for number in range(FEWEST)]
    with pytest.raises(IndexError):
        list(side_by_side(partial(numbered, 0), [*items, []]))
    assert module._forked is None
    assert len(list(side_by_side(partial(numbered, 0), items))) == FEWEST


def test_an_analysis_is_the_same_on_all_cores() -> None:
    records = [
        record
        for seed in range(7)
        for record in synthetic_records(Size(data=8, model=10, ranks=1), seed=seed)
    ]
    assert len(records) >= FEWEST
    name = records[0].sweep_name
    alone = analyze(name, records, (), (), len(records))
    assert analyze(name, records, (), (), len(records), each=side_by_side) == alone

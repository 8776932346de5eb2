import os
import threading
import time

import pytest

from saih.domain.contention import Pressure, contention_notes, contention_of
from saih.harness import processor_log
from saih.harness.clock import host_ns
from saih.harness.processor_log import ProcessorLog, worst
from saih.machine.messages import Message


def test_a_report_spans_begin_and_end() -> None:
    log = ProcessorLog(host_ns)
    log.begin()
    time.sleep(0.02)
    report = log.report()
    assert report[Pressure.ELAPSED] >= 20_000_000
    assert all(report[pressure] >= 0 for pressure in Pressure if pressure in report)
    assert report["own_ns"] >= 0
    assert set(report["processors"]) == os.sched_getaffinity(0)


def test_without_a_begin_there_is_no_report() -> None:
    assert ProcessorLog(host_ns).report() == {}


def test_the_loader_the_idle_and_threads_that_came_later_are_no_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stepping = threading.get_native_id()
    loader, worker, idle, later = -1, -2, -3, -4
    # Of real threads of this process nobody knows what they do meanwhile.
    readings = iter(
        (
            {stepping: (100, 10), loader: (0, 0), worker: (50, 5), idle: (7, 0)},
            {stepping: (200, 13), loader: (90, 80), worker: (100, 25), idle: (8, 60), later: (99, 99)},
        )
    )
    monkeypatch.setattr(processor_log, "thread_times_ns", lambda: next(readings))
    log = ProcessorLog(host_ns)
    log.begin()
    report = log.report({loader})
    assert (report[Pressure.RUN_DELAY], report[Pressure.WORKER_DELAY]) == (3, 20)


def test_the_worst_rank_counts_and_only_what_all_could_read() -> None:
    reports = [
        {"pressure_elapsed_ns": 10, "pressure_run_delay_ns": 3, "pressure_stolen_ns": 1},
        {"pressure_elapsed_ns": 12, "pressure_run_delay_ns": 9},
    ]
    assert worst(reports) == {Pressure.ELAPSED: 12, Pressure.RUN_DELAY: 9}
    assert worst([]) == {}


def shared(machine: str, processors: list[int], busy_ns: int, own_ns: int) -> Message:
    own = {"machine": machine, "processors": processors, "busy_ns": busy_ns, "own_ns": own_ns}
    return {"pressure_elapsed_ns": 1000, **own}


@pytest.mark.parametrize(
    ("reports", "others_ns"),
    [
        ([shared("a", [0, 1], 1900, 900), shared("a", [0, 1], 1950, 950)], 50),
        ([shared("a", [0], 900, 880), shared("a", [1], 990, 700)], 290),
        ([shared("a", [0, 1], 1000, 1000), shared("b", [0, 1], 1600, 1000)], 300),
        ([shared("a", [0, 1], 900, 1000)], 0),
        ([shared("a", [0, 1], 1900, 900), shared("a", [0], 990, 700)], None),
        ([shared("a", [0, 1], 1900, 900), {"pressure_elapsed_ns": 1000}], None),
    ],
    ids=["all share", "each its own", "two machines", "rounding", "some are shared", "one cannot tell"],
)
def test_what_ranks_did_not_use_of_their_processors_went_to_others(
    reports: list[Message], others_ns: int | None
) -> None:
    assert worst(reports).get(Pressure.OTHERS) == others_ns
    assert set(worst(reports)) <= set(Pressure)


def test_notes_come_back_and_say_what_is_absent() -> None:
    notes = contention_notes({Pressure.ELAPSED: 100, Pressure.CPU_SOME: 40})
    found = contention_of({**notes, "hosts": "a"})
    assert found.share(Pressure.CPU_SOME) == 0.4
    assert found.share(Pressure.STOLEN) is None
    assert Pressure.STOLEN in found.absent
    assert Pressure.CPU_SOME not in found.absent


def test_notes_that_are_no_numbers_say_nothing() -> None:
    for text in ("", "-5", "nan", "1e9", "9" * 19, "٣", "0x10"):
        found = contention_of({"pressure_elapsed_ns": "100", "pressure_cpu_some_ns": text})
        assert found.share(Pressure.CPU_SOME) is None
    none_elapsed = contention_of({"pressure_elapsed_ns": "0", "pressure_cpu_some_ns": "5"})
    assert none_elapsed.share(Pressure.CPU_SOME) is None


def test_the_clock_of_a_gpu_counts_where_it_is_told() -> None:
    totals = iter((100, 175))
    log = ProcessorLog(host_ns, lambda: {Pressure.GPU_POWER: next(totals)})
    log.begin()
    assert log.report()[Pressure.GPU_POWER] == 75

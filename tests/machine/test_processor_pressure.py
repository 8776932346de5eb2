"""What the kernel tells of others: read from made-up trees, and from this machine as it is."""

import os
from pathlib import Path

import pytest

from saih.machine.processor_pressure import (
    busy_ns,
    machine_id,
    some_pressure_ns,
    stolen_ns,
    thread_times_ns,
    throttled_ns,
)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_pressure_is_the_total_of_some(tmp_path: Path) -> None:
    write(
        tmp_path / "pressure" / "cpu",
        "some avg10=97.77 avg60=98.13 avg300=83.24 total=14117\nfull avg10=0.00 avg60=0.00 total=9\n",
    )
    assert some_pressure_ns("cpu", tmp_path) == 14_117_000


@pytest.mark.parametrize("text", [None, "", "some avg10=1", "full total=7", "some total=many"])
def test_pressure_that_is_not_told_is_absent(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        write(tmp_path / "pressure" / "cpu", text)
    assert some_pressure_ns("cpu", tmp_path) is None


def test_stolen_time_is_a_mean_over_processors(tmp_path: Path) -> None:
    write(tmp_path / "stat", "cpu  1 2 3 4 5 6 7 800 0 0\ncpu0 0 0 0 0 0 0 0 400\ncpu1 0 0 0 0 0 0 0 400\n")
    assert stolen_ns(tmp_path) == 4_000_000_000  # of ticks of 10 ms
    write(tmp_path / "stat", "cpu 1 2 3\n")
    assert stolen_ns(tmp_path) is None


@pytest.mark.parametrize(
    ("groups", "place", "text"),
    [
        ("0::/job/step\n", "job/cpu.stat", "usage_usec 9\nthrottled_usec 5000\n"),
        (
            "4:memory:/a\n1:cpu,cpuacct:/job\n",
            "cpu,cpuacct/job/cpu.stat",
            "nr_periods 2\nthrottled_time 5000000\n",
        ),
        ("1:cpu:/\n0::/\n", "cpu/cpu.stat", "throttled_time 5000000\n"),
    ],
    ids=["version 2, the group above", "version 1", "the root"],
)
def test_quotas_of_the_own_group_and_those_above_count(
    tmp_path: Path, groups: str, place: str, text: str
) -> None:
    write(tmp_path / "proc" / "self" / "cgroup", groups)
    write(tmp_path / "groups" / place, text)
    assert throttled_ns(tmp_path / "proc", tmp_path / "groups") == 5_000_000


def test_a_group_without_a_processor_controller_has_no_quota(tmp_path: Path) -> None:
    write(tmp_path / "proc" / "self" / "cgroup", "8:pids:/\nnonsense\n0::/../../etc\n")
    assert throttled_ns(tmp_path / "proc", tmp_path / "groups") is None


def test_times_of_every_thread_are_read(tmp_path: Path) -> None:
    write(tmp_path / "self" / "task" / "7" / "schedstat", "100 20 3\n")
    write(tmp_path / "self" / "task" / "8" / "schedstat", "")
    assert thread_times_ns(tmp_path) == {7: (100, 20)}
    assert thread_times_ns(tmp_path / "absent") == {}


def test_this_machine_tells_something_or_nothing_but_never_fails() -> None:
    for value in (some_pressure_ns("cpu"), some_pressure_ns("io"), stolen_ns(), throttled_ns()):
        assert value is None or value >= 0


def test_busy_time_is_that_of_the_processors_asked_for(tmp_path: Path) -> None:
    rows = [
        "cpu  9 9 9 9 9 9 9 9",
        "cpu0 1 2 3 500 600 4 5 700 8 9",
        "cpu1 10 0 0 0 0 0 0 0",
        "cpu10 99 0 0 0 0 0 0 0",
    ]
    write(tmp_path / "stat", "\n".join([*rows, "intr 5", ""]))
    assert busy_ns({0}, tmp_path) == 150_000_000  # ticks of 10 ms; idle, waiting and stolen are none
    assert busy_ns({0, 1}, tmp_path) == 250_000_000
    assert busy_ns({0, 7}, tmp_path) is None
    assert busy_ns(set(), tmp_path) is None
    assert busy_ns({0}, tmp_path / "nowhere") is None


def test_this_machine_tells_how_busy_it_is_and_which_one_it_is() -> None:
    before = busy_ns(os.sched_getaffinity(0))
    sum(range(10**6))
    after = busy_ns(os.sched_getaffinity(0))
    assert before is not None
    assert after is not None
    assert after >= before
    assert machine_id() == machine_id() != ""

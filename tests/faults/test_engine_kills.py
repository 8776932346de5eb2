"""Killing any process of an engine at any moment: every request is answered, and nothing is left behind."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("engine_load.py")
NUM_KILLS = int(os.environ.get("ENGINE_KILLS", "8"))
"""``ENGINE_KILLS=100 pytest -s tests/faults/test_engine_kills.py`` for the full count."""
PLANS = ((2, 1), (1, 2), (1, 2), (2, 1), (2, 2))
PATIENCE_S = 300.0
"""Of conditions that must come about, however busy the machine is; how long they took is printed."""
SHARED_MEMORY = "/dev/shm/"  # noqa: S108  # looked at, not used
NUM_REQUESTS = 10_000
GROWTH_BYTES = 32 * 2**20
"""Of all three processes together, over 8 000 requests: 4 KiB a request that were kept would be seen."""


class Driver:
    """One running ``engine_load.py``; it and all that it starts carry a mark in their environment."""

    def __init__(self, folder: Path) -> None:
        self.mark = uuid.uuid4().hex
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "ENGINE_MARK": self.mark, "TMPDIR": str(folder)}
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=ROOT,
        )
        self.pid: int = self.read()["pid"]

    def ask(self, *words: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        return self.read()

    def read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the driver ended with {self._process.wait()}"
        document: dict[str, Any] = json.loads(line)
        return document

    def end(self) -> None:
        self._process.communicate()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def driver(folder: Path) -> Iterator[Driver]:
    one = Driver(folder)
    try:
        yield one
    finally:
        one.kill()
        wait_until(lambda: not marked(one.mark))


def marked(mark: str) -> list[int]:
    """Processes that carry a mark, zombies not counted."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def links(pid: int) -> set[str]:
    """What a process has open."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(os.fspath(link.readlink()))
        except OSError:  # closed in the meantime
            continue
    return found


def listening(pid: int) -> set[str]:
    """Sockets of a process that wait for connections."""
    waiting = {
        f"socket:[{fields[9]}]"
        for name in ("tcp", "tcp6")
        for fields in map(str.split, Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:])
        if fields[3] == "0A"
    }
    return waiting & links(pid)


def shared_memory(pids: list[int]) -> set[Path]:
    """Segments that processes have mapped or open, and whose names are still there."""
    names = set().union(*map(links, pids))
    for pid in pids:
        maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
        names |= {line.split(maxsplit=5)[5] for line in maps if SHARED_MEMORY in line}
    return {Path(name) for name in names if name.startswith(SHARED_MEMORY) and Path(name).exists()}


def wait_until(is_so: Callable[[], bool]) -> float:
    """Seconds until a condition held."""
    begin_s = time.monotonic()
    while not is_so():
        assert time.monotonic() - begin_s < PATIENCE_S
        time.sleep(0.02)
    return time.monotonic() - begin_s


def kill_a_worker(one: Driver, pids: list[int], chance: random.Random) -> tuple[str, Counter[str], float]:
    """Kill one rank during load; its name, what became of all requests, and seconds until all was over."""
    rank = chance.randrange(len(pids))
    time.sleep(chance.uniform(0.0, 0.3))
    killed_s = time.monotonic()
    os.kill(pids[rank], signal.SIGKILL)
    told = one.read()
    name = f"rank {rank} of {len(pids)}"
    assert name in told["refusal"], told["refusal"]
    wait_until(lambda: marked(one.mark) == [one.pid])
    took_s = time.monotonic() - killed_s
    assert listening(one.pid) == set()
    return name, Counter(told["counts"]), took_s


def kill_the_controller(one: Driver, chance: random.Random) -> float:
    """Kill the process that called the engine; seconds until no worker is left."""
    time.sleep(chance.uniform(0.0, 0.3))
    one.kill()
    return wait_until(lambda: not marked(one.mark))


@pytest.mark.slow
def test_killed_at_random_each_process_leaves_every_request_answered_and_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(8)
    kills: Counter[str] = Counter()
    requests: Counter[str] = Counter()
    segments: set[Path] = set()
    slowest_s = 0.0
    while kills.total() < NUM_KILLS:
        with driver(tmp_path) as one:
            is_alive = True
            while is_alive and kills.total() < NUM_KILLS:
                tensor, pipeline = PLANS[kills.total() % len(PLANS)]
                pids = one.ask("load", tensor, pipeline, kills.total())["pids"]
                assert len(pids) == tensor * pipeline
                segments |= shared_memory([one.pid, *pids])
                is_alive = kills.total() % 4 != 3
                if is_alive:
                    role, counts, took_s = kill_a_worker(one, pids, chance)
                    requests += counts
                else:
                    role, took_s = "controller", kill_the_controller(one, chance)
                kills[role] += 1
                slowest_s = max(slowest_s, took_s)
                assert requests["unanswered"] == 0
        assert marked(one.mark) == []
    assert not [path for path in segments if path.exists()]
    assert requests["answered"] > 0
    assert set(requests) <= {"answered", "EngineDead"}
    with capsys.disabled():
        sys.stdout.write(
            f"\nkilled {dict(kills)}; requests {dict(requests)}; "
            f"all over within {slowest_s:.2f} s (bound: 10 s, where the machine has time); "
            "0 processes, ports and shared-memory segments left\n"
        )


@pytest.mark.slow
def test_of_two_engines_on_one_machine_one_lives_on_when_the_other_loses_a_worker(tmp_path: Path) -> None:
    with driver(tmp_path) as one:
        told = one.ask("two")
        assert told["is_same"]
        assert told["lost"] == "EngineDead"
        assert told["lives"]
        assert marked(one.mark) == [one.pid]
        assert listening(one.pid) == set()
        one.end()


@pytest.mark.slow
def test_ten_thousand_requests_of_which_many_are_cancelled_leave_memory_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with driver(tmp_path) as one:
        told = one.ask("flood", 1, 2, NUM_REQUESTS)
        one.end()
    counts = Counter(told["counts"])
    growth_bytes = told["end_bytes"] - told["begin_bytes"]
    with capsys.disabled():
        sys.stdout.write(
            f"\n{dict(counts)}; {told['begin_bytes'] / 2**20:.0f} MiB after a fifth, "
            f"{growth_bytes / 2**20:+.1f} MiB at the end\n"
        )
    assert counts.total() == NUM_REQUESTS
    assert set(counts) == {"answered", "cancelled"}
    assert growth_bytes < GROWTH_BYTES

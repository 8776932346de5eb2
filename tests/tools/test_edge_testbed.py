"""tools/edge_testbed: limits hold, changes hold at once, and nothing is left, whatever is killed when."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from edge_testbed_fixture import TOOL, Testbeds
from slurm_cluster_fixture import wait_until

from tools.edge_testbed_parts.run_folder import VARIABLE, known_testbeds
from tools.slurm_cluster_parts.processes import all_processes

pytestmark = pytest.mark.slow

NUM_KILLS = int(os.environ.get("TESTBED_KILLS", "3"))
NOBODY = 65534
LINKED = """\
name: NAME
devices: [{name: a}, {name: b}]
links: {default: {rate: 10 Mbit/s, delay: DELAY}}
"""
TIMED_TRANSFER = """
import os, socket, sys, time
from pathlib import Path
rank, num_bytes, ready = int(os.environ["RANK"]), int(sys.argv[1]), Path(sys.argv[2])
if rank == 0:
    listener = socket.create_server(("", 7000))
    ready.touch()
    caller, _ = listener.accept()
    caller.recv(1)
    caller.sendall(b"b")
    left = num_bytes
    while left and (data := caller.recv(min(left, 1 << 16))):
        left -= len(data)
    caller.sendall(b"e")
else:
    while not ready.exists():
        time.sleep(0.01)
    host = "a"
    caller = socket.create_connection((host, 7000), timeout=60)
    begun = time.monotonic()
    caller.sendall(b"p")
    caller.recv(1)
    ping = time.monotonic() - begun
    begun = time.monotonic()
    caller.sendall(bytes(num_bytes))
    caller.recv(1)
    print(ping, time.monotonic() - begun)
"""


def traces(name: str) -> list[str]:
    """Control groups, interfaces, namespaces and processes that a testbed of this name may have left."""
    found = [str(path) for path in Path("/sys/fs/cgroup").rglob(f"saih-edge-*-{name}")]
    links = subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout
    found += [line for line in links.splitlines() if name in line or ": port" in line]
    found += [path.name for path in Path("/run/netns").glob(f"*{name}*")]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"/beds/{name}" in line:
            found.append(line)
    return found


def transferred_s(testbeds: Testbeds, name: str, num_bytes: int) -> tuple[float, float]:
    """Seconds of a round trip and of a transfer between the two devices."""
    ready = testbeds.folder.parent / f"ready-{random.getrandbits(32)}"
    told = testbeds.call("run", name, "--", sys.executable, "-c", TIMED_TRANSFER, str(num_bytes), str(ready))
    ping_s, took_s = map(float, told.split())
    return ping_s, took_s


@pytest.mark.parametrize("delay", ["0", "5 ms"])
def test_links_are_no_faster_than_asked_and_change_while_in_use(testbeds: Testbeds, delay: str) -> None:
    """Only lower bounds: a busy machine may be slower, but a limit never lets through more."""
    text = LINKED.replace("NAME", "links").replace("DELAY", delay)
    testbeds.call("up", testbeds.file(text))
    ping_s, took_s = transferred_s(testbeds, "links", 250_000)
    burst_bytes = 4000
    assert took_s >= 8 * (250_000 - burst_bytes) / 10e6
    assert ping_s >= (0.010 if delay == "5 ms" else 0.0)
    before = testbeds.status("links")["facts"]
    testbeds.call("change", "links", "b", "--rate", "4mbit")
    _, took_s = transferred_s(testbeds, "links", 250_000)
    assert took_s >= 8 * (250_000 - burst_bytes) / 4e6
    after = testbeds.status("links")["facts"]
    assert before != after
    assert "b up 4 Mbit/s down 4 Mbit/s" in after
    if delay == "5 ms":
        testbeds.call("change", "links", "b", "--delay", "40ms")
        ping_s, _ = transferred_s(testbeds, "links", 1)
        assert ping_s >= 0.045
    else:
        refused = testbeds.attempt("change", "links", "b", "--delay", "1ms")
        delays_by = testbeds.status("links")["delays_by"]
        assert (refused.returncode, delays_by) in {(0, "netem"), (2, "none")}


def test_two_testbeds_stand_side_by_side_and_do_not_meet(testbeds: Testbeds) -> None:
    for name in ("one", "two"):
        testbeds.call("up", testbeds.file(f"name: {name}\ndevices: [{{name: a}}, {{name: b}}]\n"))
    names = testbeds.call("run", "one", "--", "hostname").split()
    assert sorted(names) == ["one-a", "one-b"]
    again = testbeds.attempt("up", testbeds.file("name: one\ndevices: [{name: a}]\n"))
    assert again.returncode == 2
    assert "is up" in again.stderr
    assert testbeds.attempt("enter", "a", "true").returncode == 2  # which one?
    testbeds.call("down", "one")
    assert traces("one") == []
    assert testbeds.call("enter", "two-b", "hostname") == "two-b"
    assert testbeds.call("enter", "b", "hostname") == "two-b"
    testbeds.call("down")
    assert traces("two") == []


def test_processes_find_each_other_and_know_what_they_are_on(testbeds: Testbeds) -> None:
    testbeds.call(
        "up",
        testbeds.file(
            "name: known\nmode: paced\n"
            "devices: [{name: a, speed: 20 GFLOP/s, memory: 64 MiB}, {name: b, cores: 0}]\n"
        ),
    )
    program = (
        "import json, os, socket; e = os.environ; print(json.dumps([{k: e.get(k) for k in "
        "('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'EDGE_TESTBED_MODE', 'EDGE_DEVICE', 'EDGE_DEVICE_SPEED', "
        "'EDGE_DEVICE_MEMORY_BYTES', 'GLOO_SOCKET_IFNAME')}, socket.gethostbyname('b'), "
        "sorted(os.sched_getaffinity(0))]))"
    )
    lines = testbeds.call("run", "known", "--", sys.executable, "-c", program).splitlines()
    found = {row[0]["EDGE_DEVICE"]: row for row in map(json.loads, lines)}
    first, second = found["a"], found["b"]
    assert first[0] == {
        "RANK": "0",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "10.77.0.1",
        "EDGE_TESTBED_MODE": "paced",
        "EDGE_DEVICE": "a",
        "EDGE_DEVICE_SPEED": "2e+10",
        "EDGE_DEVICE_MEMORY_BYTES": str(2**26),
        "GLOO_SOCKET_IFNAME": "eth0",
    }
    assert (second[0]["RANK"], second[1], second[2]) == ("1", "10.77.0.2", [0])
    named = "import socket; print(socket.gethostname(), socket.gethostbyname('a'))"
    assert testbeds.call("enter", "head", sys.executable, "-c", named) == "known-head 10.77.0.1"
    failed = testbeds.attempt("run", "known", "--", "sh", "-c", '[ "$RANK" = 0 ] && exit 7; exec sleep 100')
    assert failed.returncode == 7
    kept = testbeds.attempt(
        "run", "--keep-on", "known", "--", "sh", "-c", '[ "$RANK" = 0 ] && exit 7; echo on'
    )
    assert (kept.returncode, kept.stdout) == (7, "on\n")


def test_a_device_that_is_cut_off_is_not_reached_until_it_is_healed(testbeds: Testbeds) -> None:
    testbeds.call("up", testbeds.file("name: cut\ndevices: [{name: a}, {name: b}]\n"))
    call = "import socket, sys; socket.create_connection(('b', 9), timeout=1.0)"

    def said() -> str:
        return testbeds.attempt("enter", "a", sys.executable, "-c", call).stderr

    assert "refused" in said()
    testbeds.call("cut", "cut", "b")
    assert "refused" not in said()
    testbeds.call("heal", "cut", "b")
    wait_until(lambda: "refused" in said(), 60.0, said)


@pytest.mark.skipif(os.geteuid() != 0, reason="control groups need root, or a delegated group")
def test_memory_beyond_the_limit_is_killed_and_the_peak_is_told(testbeds: Testbeds) -> None:
    testbeds.call(
        "up", testbeds.file("name: small\ndevices: [{name: a, memory: 64 MiB}, {name: b, memory: 300 MiB}]\n")
    )
    hold = "held = bytearray(150 << 20); held[::4096] = b'x' * len(held[::4096])"
    done = testbeds.attempt("enter", "a", sys.executable, "-c", hold)
    assert done.returncode == 128 + signal.SIGKILL
    testbeds.call("enter", "b", sys.executable, "-c", hold)
    peaks = {row["name"]: row["peak_memory_bytes"] for row in testbeds.status("small")["devices"]}
    assert peaks["a"] <= 64 << 20
    assert 150 << 20 <= peaks["b"] <= 300 << 20
    testbeds.call("change", "small", "a", "--memory", "300mib")
    testbeds.call("enter", "a", sys.executable, "-c", hold)


@pytest.mark.skipif(os.geteuid() != 0, reason="control groups need root, or a delegated group")
def test_a_quota_is_given_to_the_kernel_and_throttles(testbeds: Testbeds) -> None:
    testbeds.call("up", testbeds.file("name: slow\ndevices: [{name: a, quota: 0.05}, {name: b}]\n"))
    work = "import time; begun = time.process_time()\nwhile time.process_time() - begun < 0.1: pass"
    begun_s = time.monotonic()
    testbeds.call("enter", "a", sys.executable, "-c", work)
    assert time.monotonic() - begun_s >= 0.1 / 0.05 * 0.5  # twice as fast would be no such quota
    rows = {row["name"]: row for row in testbeds.status("slow")["devices"]}
    assert rows["a"]["throttled_ns"] > 0
    testbeds.call("change", "slow", "a", "--quota", "none")
    testbeds.call("change", "slow", "b", "--quota", "0.5")
    assert "b quota 0.5" in testbeds.status("slow")["facts"]
    over = testbeds.attempt("change", "slow", "b", "--quota", "999")
    assert over.returncode == 2
    assert "999 cores" in over.stderr


def test_a_link_that_is_slower_than_asked_is_an_error_with_its_figures(testbeds: Testbeds) -> None:
    testbeds.call(
        "up",
        testbeds.file("name: fast\ndevices: [{name: a}, {name: b}]\nlinks: {default: {rate: 100 Gbit/s}}\n"),
    )
    done = testbeds.attempt("measure", "fast", "--seconds", "0.2")
    assert done.returncode == 1
    assert "slower than asked: a -> b carries" in done.stderr
    assert "a -> b" in done.stdout


def test_a_real_machine_that_is_not_reached_is_named_before_anything_is_made(testbeds: Testbeds) -> None:
    path = testbeds.file("name: far\ndevices: [{name: a, host: 'ssh://nobody@127.0.0.1:1'}]\n")
    done = testbeds.attempt("up", path)
    assert done.returncode == 3
    assert "a (ssh://nobody@127.0.0.1:1): " in done.stderr
    assert list(testbeds.folder.glob("*")) == []


def victims(testbeds: Testbeds, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every process of the testbeds of this test: the recorded ones and all below them."""
    monkeypatch.setenv(VARIABLE, str(testbeds.folder))
    pids = {
        process.pid for bed in known_testbeds() for process in all_processes(bed.records) if process.is_alive
    }
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        children.setdefault(parent, []).append(int(path.parent.name))
    found, waiting = [], list(pids)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.append(pid)
            waiting += children.get(pid, [])
    return found


def test_whatever_is_killed_when_nothing_is_left(testbeds: Testbeds, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills the tool, or a process of the testbed, while it starts or works: ``TESTBED_KILLS`` times."""
    path = testbeds.file(LINKED.replace("NAME", "killed").replace("DELAY", "1 ms"))
    for number in range(NUM_KILLS):
        chance = random.Random(number)
        starting = subprocess.Popen(
            [sys.executable, TOOL, "up", path], env=testbeds.environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(chance.uniform(0.0, 0.8))
        found = [*victims(testbeds, monkeypatch), *([starting.pid] if starting.poll() is None else [])]
        for pid in chance.sample(found, min(len(found), 1)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if number % 2:
            starting.kill()
        starting.wait()
        if number % 3 == 0:  # another start clears what is there, or what is there is whole
            again = testbeds.attempt("up", path)
            assert again.returncode == 0 or "is up" in again.stderr, again.stderr
            assert testbeds.call("enter", "killed-a", "hostname") == "killed-a"
        testbeds.call("down")
        wait_until(lambda: not traces("killed"), 30.0, lambda: str(traces("killed")))
        assert list(testbeds.folder.iterdir()) == []


def sleeping(seconds: str) -> list[int]:
    """Processes that sleep for so long, by their numbers here."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == f"sleep\0{seconds}\0".encode():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def kill_what_runs(run: "subprocess.Popen[str]", seconds: str, num_devices: int) -> None:
    """Kills the tool once a process sleeps on each device; none of these is left."""
    try:
        wait_until(lambda: len(sleeping(seconds)) == num_devices, 60.0, lambda: str(sleeping(seconds)))
    finally:
        run.kill()
        run.wait()
    wait_until(lambda: not sleeping(seconds), 10.0, lambda: str(sleeping(seconds)))


def test_a_run_that_is_killed_takes_what_it_runs_on_devices_along(testbeds: Testbeds) -> None:
    testbeds.call("up", testbeds.file("name: taken\ndevices: [{name: a}, {name: b}]\n"))
    words = [sys.executable, TOOL, "run", "taken", "--", "sleep", "987.125"]
    kill_what_runs(subprocess.Popen(words, env=testbeds.environment, text=True), "987.125", 2)


def test_a_part_that_dies_ends_the_testbed_and_status_says_so(
    testbeds: Testbeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    testbeds.call("up", testbeds.file("name: part\ndevices: [{name: a}]\n"))
    keepers = victims(testbeds, monkeypatch)
    os.kill(keepers[-1], signal.SIGKILL)
    wait_until(lambda: testbeds.attempt("status", "part").returncode == 1, 60.0, lambda: "it is up")
    done = testbeds.attempt("enter", "part-a", "true")
    assert done.returncode == 1
    assert "is not up" in done.stderr


def can_unshare() -> bool:
    words = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "true"]
    options: dict[str, int] = {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}
    return subprocess.run(words, capture_output=True, check=False, **options).returncode == 0  # type: ignore[call-overload]


@pytest.mark.skipif(not can_unshare(), reason="this kernel gives ordinary users no namespaces")
def test_an_ordinary_user_has_testbeds_too_but_no_quotas() -> None:
    folder = Path(tempfile.mkdtemp(prefix="edge-testbed-test-"))
    try:
        folder.chmod(0o777)
        tools = folder / "tools"
        for name in ("edge_testbed_parts", "slurm_cluster_parts"):
            shutil.copytree(TOOL.parent / name, tools / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("edge_testbed", "__init__.py"):
            shutil.copy(TOOL.parent / name, tools / name)
        options = {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}
        environment = {"PATH": os.environ["PATH"], VARIABLE: str(folder / "beds"), "HOME": str(folder)}

        def attempt(*words: str | Path) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                ["/usr/bin/python3", tools / "edge_testbed", *words], env=environment, capture_output=True,
                text=True, check=False, cwd=folder, timeout=120, **options,  # type: ignore[arg-type]
            )  # fmt: skip

        path = folder / "mine.yaml"
        path.write_text("devices: [{name: a}, {name: b}]\nlinks: {default: {rate: 10 Mbit/s, delay: 2 ms}}\n")
        done = attempt("up", path)
        assert done.returncode == 0, done.stderr
        names = attempt("run", "mine", "--", "hostname")
        assert sorted(names.stdout.split()) == ["mine-a", "mine-b"], names.stderr
        words = ["/usr/bin/python3", tools / "edge_testbed", "run", "mine", "--", "sleep", "987.25"]
        run = subprocess.Popen(words, env=environment, cwd=folder, text=True, **options)  # type: ignore[call-overload]
        kill_what_runs(run, "987.25", 2)
        changed = attempt("change", "mine", "a", "--rate", "20mbit", "--delay", "3ms")
        assert changed.returncode == 0, changed.stderr
        assert attempt("down").returncode == 0
        path.write_text("name: limited\ndevices: [{name: a, quota: 0.5}]\n")
        refused = attempt("up", path)
        assert refused.returncode == 3
        assert "cannot be limited" in refused.stderr
        assert list((folder / "beds").iterdir()) == []
    finally:
        shutil.rmtree(folder, ignore_errors=True)

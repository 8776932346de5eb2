"""Requests while links and devices change: planned anew within one request, nothing lost or wrong.

A service and three real devices with quotas of a core each, in namespaces; links are held by the kernel.
During 200 requests one link becomes 50 times as slow and recovers, one device loses most of its quota and
gets it back, one device is killed, and another joins: one thing at a time. Every answer is held against that
of one device, and what requests take behind each event against a new service with new devices in that state.

    python -m benchmarks.galaxy_live [--quick]
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import IO, Any

from benchmarks.bars import judge
from benchmarks.galaxy_rig import ROOT, TESTBED, Rig, devices

NAMES = ("a", "b", "c", "d")
QUOTAS = (0.6, 0.5, 0.3, 0.5)
CORES = ([0], [1], [0], [1])
RATE_MBIT, SLOW_MBIT, SMALL_QUOTA = 1000.0, 20.0, 0.12
NUM_REQUESTS, QUICK_REQUESTS = 200, 60
CHANGES: Mapping[str, tuple[str, str, str]] = {
    "slow link": ("b", "--rate", f"{SLOW_MBIT:g} Mbit/s"),
    "link again": ("b", "--rate", f"{RATE_MBIT:g} Mbit/s"),
    "small quota": ("a", "--quota", f"{SMALL_QUOTA:g}"),
    "quota again": ("a", "--quota", f"{QUOTAS[0]:g}"),
}
EVENTS = (*CHANGES, "killed", "joined")
RECOVERED = ("link again", "quota again")
"""What no request shows where the device rests: it is looked at again from time to time."""
LOOKED_AT_S = 45.0
"""Until then, it was."""
MEMORY_BYTES = 1 << 30
WITHIN = 1.10
"""Of what a new service takes in the same state: how long the first requests behind the new plan may take."""
TOLERATED = 1e-4
_SETTLED = 3
"""Requests behind an event of which the median is held against a new service."""
NUM_FRESH = 12
"""Requests of a new service; its first one has it plan, and is left out."""


def main(arguments: Sequence[str]) -> int:
    """Print what happened and the bars; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer requests")
    num_requests = QUICK_REQUESTS if parser.parse_args(arguments).quick else NUM_REQUESTS
    at = {event: num_requests * (place + 1) // (len(EVENTS) + 1) for place, event in enumerate(EVENTS)}
    found = measured(num_requests, at)
    requests = found["requests"]
    for line in found["said"]:
        print(f"  {line}")
    bounds = [0, *at.values(), num_requests]
    print(f"{'ms a request':12} {'first':>7} {'2nd-4th':>7} {'later':>7} {'new':>7} longest wait  devices")
    for name, begin, end in zip(("undisturbed", *EVENTS), bounds[:-1], bounds[1:], strict=True):
        took_ms = [each["latency_ms"] for each in requests[begin:end]]
        most_ms = max(each.get("waited_ms", 0.0) for each in requests[begin:end])
        who = ", ".join(requests[end - 1]["devices"])
        print(
            f"{name:12} {took_ms[0]:7.1f} {median(took_ms[1 : 1 + _SETTLED]):7.1f} "
            f"{median(took_ms[1 + _SETTLED :]):7.1f} {found['fresh_ms'][name]:7.1f} {most_ms:12.0f}  {who}"
        )
    return 0 if all(_judged(requests, at, found["fresh_ms"])) else 1


def measured(num_requests: int, at: Mapping[str, int]) -> Mapping[str, Any]:
    """All requests, what the service said meanwhile, and what new ones took in each state [ms].

    Raises:
        RuntimeError: when the service or a device cannot be started.
    """
    fresh_ms, state = {}, "undisturbed"
    with devices(NAMES, RATE_MBIT, quota=QUOTAS, cores=CORES) as rig, ExitStack() as started:
        live = _Live(rig, started, num_requests, at, NAMES[:3])
        for said in live.said():
            fresh_ms[state] = _fresh_ms(rig, tuple(live.agents))
            if "requests" in said:
                return {**said, "fresh_ms": fresh_ms}
            state = said["event"]
            _happens(said, rig, live)
            live.go_on()
    raise RuntimeError("the service ended without a word")


def _happens(said: Mapping[str, Any], rig: Rig, live: "_Live") -> None:
    event = said["event"]
    if event in CHANGES:
        rig.change(*CHANGES[event])
    elif event == "killed":
        live.agents.pop(said["devices"][-1]).kill()  # one that takes part
    else:
        live.start("d")
    if event in RECOVERED:
        time.sleep(LOOKED_AT_S)


def _fresh_ms(rig: Rig, names: Sequence[str]) -> float:
    """What a request takes by a new service with new devices of these names."""
    with ExitStack() as started:
        (said,) = _Live(rig, started, NUM_FRESH, {}, names).said()
    return median(each["latency_ms"] for each in said["requests"][1:])


class _Live:
    """A service and its devices, as processes that end with ``started``."""

    def __init__(
        self, rig: Rig, started: ExitStack, num_requests: int, at: Mapping[str, int], names: Sequence[str]
    ) -> None:
        self._rig = rig
        self._started = started
        self._token = secrets.token_hex(16)
        words = ["benchmarks.galaxy_live_worker", str(num_requests), json.dumps(at), str(len(names))]
        self._service = started.enter_context(_entered(rig.host("head"), words, self._token))
        self._where = _stream(self._service.stdout).readline().strip()
        self.agents: dict[str, subprocess.Popen[str]] = {}
        for name in names:
            self.start(name)

    def start(self, name: str) -> None:
        """Another device joins."""
        self.agents[name] = self._started.enter_context(_agent(self._rig, name, self._where, self._token))

    def said(self) -> Iterator[Mapping[str, Any]]:
        """Events that are to happen, and at last all requests."""
        return map(json.loads, _stream(self._service.stdout))

    def go_on(self) -> None:
        """What it waited for has happened."""
        _stream(self._service.stdin).write("done\n")
        _stream(self._service.stdin).flush()


def _judged(
    requests: Sequence[Mapping[str, Any]], at: Mapping[str, int], fresh_ms: Mapping[str, float]
) -> list[bool]:
    answered = [each for each in requests if not each["failure"]]
    met = [judge("answered", len(answered), "requests", ">=", len(requests))]
    wrong = [each for each in answered if not each["error"] <= TOLERATED]  # also what is no number
    met.append(judge(f"answers off by more than {TOLERATED:g}", len(wrong), "requests", "<=", 0))
    for event, begin in at.items():
        # The first request after a change shows it; those behind it follow the new plan.
        early = median(each["latency_ms"] for each in requests[begin + 1 : begin + 1 + _SETTLED])
        name = f"{event}: second to fourth over a new service"
        met.append(judge(name, early / fresh_ms[event], "x", "<=", WITHIN))
        if event in RECOVERED:  # the plan may stay as it is, where the device had a part in it all the time
            continue
        plans = requests[begin + 1]["num_plans"] - requests[begin - 1]["num_plans"]
        met.append(judge(f"{event}: plans made until the second request", plans, "", ">=", 1))
    return met


@contextmanager
def _agent(rig: Rig, name: str, where: str, token: str) -> "Iterator[subprocess.Popen[str]]":
    words = [
        "workloads.galaxy.service.agent",
        "--service",
        where,
        "--name",
        name,
        "--memory",
        str(MEMORY_BYTES),
    ]
    with _entered(rig.host(name), words, token) as process:
        yield process


@contextmanager
def _entered(device: str, words: Sequence[str], token: str) -> "Iterator[subprocess.Popen[str]]":
    """A module that runs on a device; ended with the context."""
    command = [str(TESTBED), "enter", device, "--", sys.executable, "-m", *words]
    environ = os.environ | {"GALAXY_TOKEN": token, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _stream(found: IO[str] | None) -> IO[str]:
    if found is None:
        raise RuntimeError("a process has no pipe")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

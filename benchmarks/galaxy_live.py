"""Requests while links and devices change: planned anew within one request, nothing lost or wrong.

A service and three real devices with quotas of a core each, in namespaces; links are held by the kernel.
During 200 requests one link becomes ten times as slow, one device loses most of its quota, one device is
killed, and another joins. Every answer is held against that of one device.

    python -m benchmarks.galaxy_live [--quick]
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import IO, Any

from benchmarks.bars import judge
from benchmarks.galaxy_rig import ROOT, TESTBED, Rig, devices

NAMES = ("a", "b", "c", "d")
QUOTAS = (0.6, 0.5, 0.3, 0.5)
CORES = ([0], [1], [0], [1])
RATE_MBIT, SLOW_MBIT, SMALL_QUOTA = 500.0, 20.0, 0.12
NUM_REQUESTS, QUICK_REQUESTS = 200, 60
EVENTS = ("slow link", "small quota", "killed", "joined")
MEMORY_BYTES = 1 << 30
WITHIN = 1.10
"""Of what later requests take in the same state: how long the first ones behind the new plan may take."""
TOLERATED = 1e-4
_SETTLED = 3
"""Requests behind an event of which the median is held against the rest."""


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
    for name, begin, end in zip(("undisturbed", *EVENTS), bounds[:-1], bounds[1:], strict=True):
        took_ms = [each["latency_ms"] for each in requests[begin:end]]
        most_ms = max(each.get("waited_ms", 0.0) for each in requests[begin:end])
        who = ", ".join(requests[end - 1]["devices"])
        print(
            f"{name:12} first {took_ms[0]:7.1f}, then {median(took_ms[1:]):7.1f} ms a request, "
            f"the longest wait {most_ms:7.0f} ms; by {who}"
        )
    return 0 if all(_judged(requests, at, num_requests)) else 1


def measured(num_requests: int, at: Mapping[str, int]) -> Mapping[str, Any]:
    """All requests, and what the service said meanwhile.

    Raises:
        RuntimeError: when the service or a device cannot be started.
    """
    token = secrets.token_hex(16)
    with devices(NAMES, RATE_MBIT, quota=QUOTAS, cores=CORES) as rig, ExitStack() as started:
        service = started.enter_context(
            _entered(
                rig.host("head"), ["benchmarks.galaxy_live_worker", str(num_requests), json.dumps(at)], token
            )
        )
        output = _stream(service.stdout)
        where = output.readline().strip()
        agents = {name: started.enter_context(_agent(rig, name, where, token)) for name in NAMES[:3]}
        for line in output:
            said = json.loads(line)
            if "requests" in said:
                return said
            _happens(said["event"], rig, agents)
            if said["event"] == "joined":
                agents["d"] = started.enter_context(_agent(rig, "d", where, token))
            _stream(service.stdin).write("done\n")
            _stream(service.stdin).flush()
    raise RuntimeError(f"the service ended without a word: {service.returncode}")


def _happens(event: str, rig: Rig, agents: Mapping[str, "subprocess.Popen[str]"]) -> None:
    if event == "slow link":
        rig.change("b", "--rate", f"{SLOW_MBIT:g} Mbit/s")
    elif event == "small quota":
        rig.change("b", "--rate", f"{RATE_MBIT:g} Mbit/s")
        rig.change("a", "--quota", f"{SMALL_QUOTA:g}")
    elif event == "killed":
        rig.change("a", "--quota", f"{QUOTAS[0]:g}")
        agents["c"].kill()


def _judged(requests: Sequence[Mapping[str, Any]], at: Mapping[str, int], num_requests: int) -> list[bool]:
    answered = [each for each in requests if not each["failure"]]
    met = [judge("answered", len(answered), "requests", ">=", num_requests)]
    wrong = [each for each in answered if not each["error"] <= TOLERATED]  # also what is no number
    met.append(judge(f"answers off by more than {TOLERATED:g}", len(wrong), "requests", "<=", 0))
    ends = [*at.values(), num_requests][1:]
    for (event, begin), end in zip(at.items(), ends, strict=True):
        # The first request after a change shows it; those behind it follow the new plan.
        early = median(each["latency_ms"] for each in requests[begin + 1 : begin + 1 + _SETTLED])
        late = median(each["latency_ms"] for each in requests[begin + 1 + _SETTLED : end])
        met.append(judge(f"{event}: second to fourth over later requests", early / late, "x", "<=", WITHIN))
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

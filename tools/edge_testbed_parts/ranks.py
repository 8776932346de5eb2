"""One process on each device, with the variables by which torch.distributed and others find each other."""

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

from tools.edge_testbed_parts.errors import TestbedError
from tools.edge_testbed_parts.hosts import run_on
from tools.edge_testbed_parts.namespaces import die_with
from tools.edge_testbed_parts.network import address_of
from tools.edge_testbed_parts.run_folder import Testbed

_GRACE_S = 10.0
_STEP_S = 0.01
_SHELL_SIGNAL = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """What to run on each device."""

    command: Sequence[str]
    port: int
    """Where rank 0 may listen for the others."""
    is_keeping_on: bool
    """Whether the others go on when one ends with an error."""


def run_ranks(testbed: Testbed, ranks: Ranks) -> int:
    """Runs a command on every device; gives the exit status of the first that failed, else 0."""
    children = {_started(testbed, ranks, number): name for number, name in enumerate(testbed.asked.names)}
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _ended)
    failed = 0
    try:
        while children:
            pid, status = os.waitpid(-1, 0)
            name, code = children.pop(pid, ""), os.waitstatus_to_exitcode(status)
            if code and name:
                sys.stderr.write(f"edge_testbed: the process on {name} ended with {code}\n")
                failed = failed or (code if code > 0 else _SHELL_SIGNAL - code)
                if not ranks.is_keeping_on:
                    break
    finally:
        _end(list(children))
    return failed


def rank_variables(testbed: Testbed, number: int, port: int) -> dict[str, str]:
    """What the process on a device finds in its environment beside the variables of all."""
    asked = testbed.asked
    first = asked.devices[0]
    address = address_of(asked, first.name) if asked.is_emulated else first.host_address
    threads = len(asked.devices[number].cores) or 1
    return {
        "RANK": str(number),
        "LOCAL_RANK": "0",
        "WORLD_SIZE": str(len(asked.devices)),
        "MASTER_ADDR": address,
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads)),
    }


def _started(testbed: Testbed, ranks: Ranks, number: int) -> int:
    own = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        die_with(own)  # who kills this tool ends what it runs, too
        variables: Mapping[str, str] = rank_variables(testbed, number, ranks.port)
        status = run_on(testbed, testbed.asked.names[number], ranks.command, variables)
    except (TestbedError, OSError) as error:
        sys.stderr.write(f"edge_testbed: {error}\n")
    finally:
        sys.stderr.flush()
        os._exit(status)


def _ended(number: int, _: FrameType | None) -> None:
    raise SystemExit(_SHELL_SIGNAL + number)


def _end(children: list[int]) -> None:
    """TERM to all, and KILL to those that stay."""
    deadline = time.monotonic() + _GRACE_S
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        while children and (number == signal.SIGKILL or time.monotonic() < deadline):
            children[:] = [pid for pid in children if not os.waitpid(pid, os.WNOHANG)[0]]
            time.sleep(_STEP_S)

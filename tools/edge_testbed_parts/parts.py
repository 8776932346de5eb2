"""The processes inside a testbed that make it, and how they are found."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tools.edge_testbed_parts.errors import TestbedError
from tools.edge_testbed_parts.run_folder import Testbed, write_whole
from tools.slurm_cluster_parts.processes import Process, read_processes

SWITCH = "switch"
HOLDER = "holder"
DelaysBy = Literal["switch", "netem", "none"]
"""What holds frames back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process inside."""

    pid: int
    """In the process namespace of the testbed."""
    shown: int
    """In the testbed's /proc, which may be that of the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the holder says of itself once all is made."""

    parts: Mapping[str, Part]
    """By host, and the switch, if there is one."""
    delays_by: DelaysBy

    @property
    def keepers(self) -> Mapping[str, Part]:
        """Of the hosts."""
        return {name: part for name, part in self.parts.items() if name != SWITCH}


def write_parts(testbed: Testbed, parts: Mapping[str, Part], delays_by: DelaysBy) -> None:
    """Says that all is made."""
    rows = {name: asdict(part) for name, part in parts.items()}
    write_whole(testbed.keepers, json.dumps({"parts": rows, "delays_by": delays_by}) + "\n")


def read_parts(testbed: Testbed) -> Parts:
    """The parts of a testbed that is up.

    Raises:
        TestbedError: when it is not.
    """
    try:
        document = json.loads(testbed.keepers.read_text())
    except FileNotFoundError:
        raise not_up(testbed) from None
    parts = {name: Part(**each) for name, each in document["parts"].items()}
    return Parts(parts=parts, delays_by=document["delays_by"])


def holder_of(testbed: Testbed) -> Process:
    """The process that carries a testbed, seen from outside.

    Raises:
        TestbedError: when it is gone.
    """
    found = read_processes(testbed.records).get(HOLDER)
    if found is None or not found.is_alive:
        raise not_up(testbed)
    return found


def is_up(testbed: Testbed) -> bool:
    """Whether all of it is there. Real machines are always taken to be."""
    if not testbed.asked.is_emulated:
        return True
    found = read_processes(testbed.records).get(HOLDER)
    return found is not None and found.is_alive and testbed.keepers.exists()


def not_up(testbed: Testbed) -> TestbedError:
    """The error for a testbed that is down."""
    said = testbed.log.read_text().strip().splitlines()[-1:] if testbed.log.exists() else []
    words = f" ({said[0]})" if said else ""
    return TestbedError(
        f"the testbed {testbed.asked.name} is not up{words}", "start it: tools/edge_testbed up FILE"
    )


def record_self(testbed: Testbed) -> None:
    """Writes this process down by its number outside, before it makes anything.

    Raises:
        OSError: when the run folder is gone: then nobody would find what is made.
    """
    number, _, rest = Path("/proc/self/stat").read_text().partition(" ")
    ticks = rest.rpartition(")")[2].split()[19]
    with testbed.records.open("r+") as records:  # never made anew
        records.seek(0, os.SEEK_END)
        records.write(f"{HOLDER}-inside {number} {ticks}\n")

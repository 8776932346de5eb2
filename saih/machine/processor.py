"""The processors of a node: what /proc/cpuinfo and the topology files of Linux say about them."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

SYSTEM_CPUS = Path("/sys/devices/system/cpu")
_ARM_NAMES = {
    ("0x41", "0xd0c"): "Arm Neoverse-N1",
    ("0x41", "0xd40"): "Arm Neoverse-V1",
    ("0x41", "0xd49"): "Arm Neoverse-N2",
    ("0x41", "0xd4f"): "Arm Neoverse-V2",
    ("0x46", "0x001"): "Fujitsu A64FX",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """One processor type. ``design`` is what its maker numbers it by.

    That is (vendor, family, model) on x86 and (implementer, part) on Arm; empty where neither is told.
    """

    name: str
    design: tuple[str, ...]
    features: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """How many sockets, physical cores and hardware threads a set of logical CPUs covers."""

    num_sockets: int
    num_cores: int
    num_threads: int


def parse_cpuinfo(text: str) -> Processor | None:
    """The first processor that /proc/cpuinfo describes; None where it names none."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, separator, value = line.partition(":")
        if separator:
            fields.setdefault(key.strip().lower(), value.strip())
    features = frozenset((fields.get("flags") or fields.get("features") or "").split())
    if "vendor_id" in fields:
        design: tuple[str, ...] = (
            fields["vendor_id"],
            fields.get("cpu family", ""),
            fields.get("model", ""),
        )
    elif "cpu implementer" in fields:
        design = (fields["cpu implementer"].lower(), fields.get("cpu part", "").lower())
    else:
        design = ()
    name = fields.get("model name") or _arm_name(design) or fields.get("cpu", "")
    return Processor(name=" ".join(name.split()), design=design, features=features) if name else None


def _arm_name(design: tuple[str, ...]) -> str:
    if len(design) != 2:
        return ""
    return _ARM_NAMES.get((design[0], design[1]), f"Arm implementer {design[0]} part {design[1]}")


def online_cpus(system_cpus: Path = SYSTEM_CPUS) -> frozenset[int]:
    """The logical CPUs that the kernel schedules on; empty where it does not say."""
    try:
        return parse_cpu_list((system_cpus / "online").read_text())
    except (OSError, ValueError):
        return frozenset()


def parse_cpu_list(text: str) -> frozenset[int]:
    """The numbers of a list such as ``0-3,8``."""
    found: set[int] = set()
    for part in filter(None, re.split(r"[,\s]+", text)):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def read_topology(cpus: Collection[int], system_cpus: Path = SYSTEM_CPUS) -> Topology | None:
    """What these logical CPUs cover; None where the kernel does not say."""
    sockets, cores = set(), set()
    try:
        for cpu in cpus:
            folder = system_cpus / f"cpu{cpu}" / "topology"
            sockets.add((folder / "physical_package_id").read_text().strip())
            # Hardware threads of one core share this list; core_id alone repeats over sockets and dies.
            cores.add((folder / "thread_siblings_list").read_text().strip())
    except OSError:
        return None
    if not cores:
        return None
    return Topology(num_sockets=len(sockets), num_cores=len(cores), num_threads=len(cpus))


def max_clock_hz(cpus: Collection[int], system_cpus: Path = SYSTEM_CPUS) -> float | None:
    """The highest clock that any of these CPUs may reach [Hz]; None where the kernel does not say.

    The ``cpu MHz`` of /proc/cpuinfo will not do: in a virtual machine it is the base clock, which the cores
    exceed.
    """
    found = []
    for cpu in cpus:
        try:
            text = (system_cpus / f"cpu{cpu}" / "cpufreq" / "cpuinfo_max_freq").read_text()
            found.append(int(text) * 1e3)
        except (OSError, ValueError):
            return None
    return max(found, default=None)

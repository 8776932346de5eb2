"""The energy counters that one rank reads: its own GPU's, and those of the node if it is the first there."""

from pathlib import Path

from saih.machine.energy_counter import NONE, Counters
from saih.machine.energy_nvml import find_nvml
from saih.machine.energy_rapl import SYSTEM, find_rapl
from saih.machine.probe import text_of
from saih.machine.processor import online_cpus, read_topology

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def find_counters(*, is_first_on_node: bool, device_uuid: str | None, system: Path = SYSTEM) -> Counters:
    """What this rank is to read. ``device_uuid`` is of its GPU; None on the CPU.

    Each rank reads its own GPU: a scheduler may hide from it those of the others.
    """
    own = NONE if device_uuid is None else find_nvml(device_uuid)
    return find_rapl(system).and_also(own) if is_first_on_node else own


def machine_name(boot: Path = _BOOT) -> str:
    """Tells machines apart whose counters are different ones: nodes may be emulated on a single machine."""
    return text_of(boot) or ""


def num_cores(system: Path = SYSTEM) -> int | None:
    """Physical cores of this machine, which its counters see all; None where the kernel does not say."""
    cpus = system / "devices/system/cpu"
    topology = read_topology(online_cpus(cpus), cpus)
    return topology.num_cores if topology else None

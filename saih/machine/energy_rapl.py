"""RAPL: the energy counters of CPU packages and their memory, as Linux shows them in its power capping tree.

Intel since Sandy Bridge; AMD since Zen through the same files (Linux 5.11). Only root may read them since
Linux 5.10, unless an administrator opens them (CVE-2020-8694). A zone's total begins again after
``max_energy_range_uj`` (Linux, Documentation/power/powercap/powercap.rst).
"""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from saih.domain.energy import EnergyPart
from saih.machine.energy_counter import Counter, Counters
from saih.machine.probe import text_of
from saih.machine.processor import online_cpus, read_topology

SYSTEM = Path("/sys")
TREE = "class/powercap"
_SHORTEST_S = 0.1
"""The total moves about every millisecond (Haehnel et al., SIGMETRICS PER 40(3), 2012, 13)."""
_PARTS = (
    (re.compile(r"package-\d+(-die-\d+)?"), EnergyPart.PACKAGES),
    (re.compile(r"dram"), EnergyPart.MEMORY),
    (re.compile(r"psys"), EnergyPart.PLATFORM),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Zone:
    name: str
    part: EnergyPart
    folder: Path


def find_rapl(system: Path = SYSTEM) -> Counters:
    """The counters of this node below ``system``; a part is there whole or not at all."""
    zones = _zones(system / TREE)
    if not zones:
        hidden = (
            "this machine shows no RAPL counters (virtual machines and many containers hide them)"
            if not any((system / TREE).glob("intel-rapl:*"))
            else "its RAPL counters are hidden, as container runtimes do"
        )
        return Counters(counters=(), reasons=dict.fromkeys(_rapl_parts(), hidden))
    counters: list[Counter] = []
    reasons: dict[EnergyPart, str] = {}
    for part in _rapl_parts():
        own = [zone for zone in zones if zone.part is part]
        try:
            _require_all(part, own, zones, system)
            counters += [_counter(zone) for zone in own]
        except ValueError as error:
            reasons[part] = str(error)
    return Counters(counters=tuple(counters), reasons=reasons)


def _rapl_parts() -> tuple[EnergyPart, ...]:
    return tuple(part for _, part in _PARTS)


def _zones(tree: Path) -> list[_Zone]:
    """Each zone once: subzones have a place of their own in the tree's top folder."""
    found = []
    for folder in sorted(tree.glob("intel-rapl:*")):
        name = text_of(folder / "name") or ""
        found += [
            _Zone(name=f"{name} ({folder.name})", part=part, folder=folder)
            for pattern, part in _PARTS
            if pattern.fullmatch(name)
        ]
    return found


def _require_all(part: EnergyPart, own: list[_Zone], zones: list[_Zone], system: Path) -> None:
    """Raise ValueError where some of the node's hardware of this part has no zone."""
    if not own:
        raise ValueError(f"this machine has no RAPL counter of its {part}")
    cpus = system / "devices/system/cpu"
    topology = read_topology(online_cpus(cpus), cpus)
    num_packages = len([zone for zone in zones if zone.part is EnergyPart.PACKAGES])
    wanted = {
        EnergyPart.PACKAGES: topology.num_sockets if topology else 1,
        EnergyPart.MEMORY: num_packages,
        EnergyPart.PLATFORM: 1,
    }[part]
    if len(own) < wanted:
        raise ValueError(f"only {len(own)} of {wanted} RAPL counters of its {part} are there")


def _counter(zone: _Zone) -> Counter:
    """The counter of a zone that was read once; ValueError in words where it cannot be."""
    read_uj = partial(_number, zone.folder / "energy_uj")
    try:
        range_uj = _number(zone.folder / "max_energy_range_uj")
        read_uj()
    except PermissionError as error:
        raise ValueError(f"permission denied: RAPL's {zone.name} may be read by root only") from error
    except OSError as error:
        raise ValueError(f"RAPL's {zone.name} cannot be read ({error.strerror})") from error
    if range_uj <= 0:
        raise ValueError(f"RAPL's {zone.name} tells no range")
    return Counter(part=zone.part, name=zone.name, read_uj=read_uj, range_uj=range_uj, shortest_s=_SHORTEST_S)


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))

"""The check of ``saih doctor`` for energy: which counters can be read here, and how others are opened."""

from pathlib import Path

from saih.domain.energy import EnergyPart
from saih.domain.errors import EnvironmentMissing
from saih.domain.quantity import counted
from saih.machine.accelerators import find_accelerators
from saih.machine.energy_nvml import num_countable
from saih.machine.energy_rapl import SYSTEM, find_rapl

_OPENING = (
    'an administrator opens it with the udev rule SUBSYSTEM=="powercap", ACTION=="add", '
    'RUN+="/bin/chmod a+r /sys%p/energy_uj" (docs/energy.md says what that gives away).'
)
_NOTHING = "nothing to do: without counters a sweep tells no energy, and runs as well."
_WORDS = {EnergyPart.PACKAGES: "CPU package", EnergyPart.MEMORY: "memory", EnergyPart.PLATFORM: "platform"}


def processor_energy(system: Path = SYSTEM) -> str:
    """The RAPL counters that this user may read; EnvironmentMissing without any of a CPU package."""
    found = find_rapl(system)
    if not found.has(EnergyPart.PACKAGES):
        reason = found.reasons[EnergyPart.PACKAGES]
        raise EnvironmentMissing(reason, _OPENING if "permission" in reason else _NOTHING)
    parts = [counter.part for counter in found.counters]
    return "RAPL counts " + ", ".join(
        f"{words} ({counted(parts.count(part), 'counter')})"
        for part, words in _WORDS.items()
        if part in parts
    )


def gpu_energy(root: Path = Path("/")) -> str:
    """How many GPUs keep a counter that can be read; EnvironmentMissing for none."""
    accelerators = find_accelerators(root)
    if accelerators.text == "none":
        raise EnvironmentMissing("no GPU", "nothing to do.")
    try:
        number = num_countable()
    except ValueError as error:
        raise EnvironmentMissing(str(error), "mend that, or go on: such sweeps tell no energy.") from error
    if not number:
        raise EnvironmentMissing(
            f"none of {accelerators.text} has an energy counter of its own",
            "nothing to do: GPUs older than Volta, and parts of a divided one (MIG), have none.",
        )
    return f"NVML counts {counted(number, 'GPU')}"

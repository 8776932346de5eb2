"""The accelerators of a node, from the files of their kernel drivers (nvidia-smi only where these lack)."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from saih.machine.probe import answer_of, text_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerators:
    """``names`` has one entry per device, in order of their driver; ``driver`` is its version."""

    names: tuple[str, ...]
    driver: str

    @property
    def text(self) -> str:
        """Such as ``4 x NVIDIA A100-SXM4-40GB``; ``none`` without any."""
        counts = Counter(self.names)
        return ", ".join(f"{count} x {name}" for name, count in sorted(counts.items())) or "none"


def find_accelerators(root: Path = Path("/")) -> Accelerators:
    """Every accelerator of the node, whoever may use it.

    The driver's files answer in microseconds. nvidia-smi wakes a sleeping driver, which can take seconds,
    so it is asked only where a driver is loaded but its files are hidden (some containers).
    """
    return (
        _nvidia_files(root) or _amd_files(root) or _nvidia_smi(root) or Accelerators(names=(), driver="none")
    )


def _nvidia_files(root: Path) -> Accelerators | None:
    names = []
    for path in sorted(root.glob("proc/driver/nvidia/gpus/*/information")):
        lines = (text_of(path) or "").splitlines()
        names += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    if not names:
        return None
    words = (text_of(root / "proc/driver/nvidia/version") or "").split()
    versions = [word for word in words if word.count(".") >= 1 and word.replace(".", "").isdigit()]
    return Accelerators(names=tuple(names), driver=f"nvidia {versions[0] if versions else 'unknown'}")


def _amd_files(root: Path) -> Accelerators | None:
    names = []
    for path in sorted(root.glob("sys/class/kfd/kfd/topology/nodes/*/properties")):
        pairs = [line.split() for line in (text_of(path) or "").splitlines()]
        sizes = {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
        if sizes.get("simd_count", 0) > 0:  # nodes without vector units are CPUs
            version = sizes.get(
                "gfx_target_version", 0
            )  # 90010 is gfx90a: major, minor, hexadecimal stepping
            names.append(f"AMD gfx{version // 10000}{version // 100 % 100}{version % 100:x}")
    if not names:
        return None
    return Accelerators(
        names=tuple(names), driver=f"amdgpu {text_of(root / 'sys/module/amdgpu/version') or 'unknown'}"
    )


def _nvidia_smi(root: Path) -> Accelerators | None:
    if not (root / "dev/nvidiactl").exists():
        return None
    command = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    rows = [line.rsplit(",", 1) for line in (answer_of(command, limit_s=10.0) or "").splitlines()]
    named = [(row[0].strip(), row[1].strip()) for row in rows if len(row) == 2]
    if not named:
        return Accelerators(names=(), driver="nvidia unknown")
    return Accelerators(names=tuple(name for name, _ in named), driver=f"nvidia {named[0][1]}")

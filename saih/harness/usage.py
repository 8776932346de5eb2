"""What a rank used: peak memory, and how many bytes its loader read and from where."""

import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")
_CLEAR_REFERENCES = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
_THREAD_IO = Path("/proc/thread-self/io")
WARM_SHARE, COLD_SHARE = 0.1, 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Bytes that a thread asked for, and those of them that came from storage, not from the page cache."""

    asked_bytes: int
    storage_bytes: int

    def minus(self, earlier: "Reading") -> "Reading":
        """What was read since ``earlier``."""
        return Reading(
            asked_bytes=self.asked_bytes - earlier.asked_bytes,
            storage_bytes=self.storage_bytes - earlier.storage_bytes,
        )


def thread_reading() -> Reading | None:
    """What the calling thread has read so far; None where the kernel does not tell."""
    try:
        lines = _THREAD_IO.read_text(encoding="ascii").splitlines()
        fields = dict(line.split(": ") for line in lines)
        return Reading(asked_bytes=int(fields["rchar"]), storage_bytes=int(fields["read_bytes"]))
    except (OSError, KeyError, ValueError):
        return None


def cache_state(reading: Reading | None) -> str:
    """``warm`` when the page cache gave nearly everything, ``cold`` when storage did, else in between."""
    if reading is None:
        return "unknown"
    if reading.asked_bytes == 0:
        return "nothing read"
    share = reading.storage_bytes / reading.asked_bytes
    if share <= WARM_SHARE:
        return "warm"
    return "cold" if share >= COLD_SHARE else "mixed"


def reset_peak_memory(device: str) -> None:
    """Begin a new peak here, where the kernel allows it; else the peak is that of the process."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats(device)
    try:
        _CLEAR_REFERENCES.write_text(_RESET_PEAK, encoding="ascii")
    except OSError:
        return


def peak_memory_bytes() -> int:
    """Peak resident memory of this process, since the last reset where that works."""
    try:
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def peak_device_bytes(device: str) -> int:
    """Peak memory of torch on a GPU since the last reset; 0 on the CPU."""
    return 0 if device == "cpu" else int(torch.cuda.max_memory_allocated(device))


def summary(usages: Sequence[Mapping[str, int | None]]) -> dict[str, str]:
    """Notes on all ranks together: the highest peaks, and all bytes read."""
    notes = {"peak_memory_bytes": str(max(usage["peak_memory_bytes"] or 0 for usage in usages))}
    device_bytes = max(usage["peak_device_bytes"] or 0 for usage in usages)
    if device_bytes:
        notes["peak_device_bytes"] = str(device_bytes)
    reading = _sum([(usage["asked_bytes"], usage["storage_bytes"]) for usage in usages])
    notes["cache_state"] = cache_state(reading)
    if reading is not None:
        notes |= {"bytes_asked": str(reading.asked_bytes), "bytes_read": str(reading.storage_bytes)}
    return notes


def _sum(counts: Sequence[tuple[int | None, int | None]]) -> Reading | None:
    known = [(asked, storage) for asked, storage in counts if asked is not None and storage is not None]
    if len(known) < len(counts):
        return None
    return Reading(
        asked_bytes=sum(asked for asked, _ in known), storage_bytes=sum(storage for _, storage in known)
    )

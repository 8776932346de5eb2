"""Where parked layers lie: a file, pinned memory of the host, or another GPU."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from workloads.energon.parking_error import ParkingError
from workloads.energon.parking_layout import on_pages


class ParkedMemory(Protocol):
    """Places of equal size, each written once and fetched many times."""

    def write(self, place: int, piece: Tensor) -> None:
        """Keep a layer: uint8 [bytes of a place] on the device; it may be overwritten afterwards."""

    def fetch(self, place: int, piece: Tensor) -> None:
        """Bring a layer to the device (on CUDA: enqueue its copy on the current stream).

        Raises:
            ParkingError, OSError: when it cannot be read.
        """

    def close(self) -> None:
        """Give the memory back."""


def open_memory(
    device: torch.device, num_places: int, place_bytes: int, *, folder: Path, peer: torch.device | None
) -> ParkedMemory:
    """Memory for layers of a device: of a CPU a file in ``folder``; of a GPU pinned memory, or ``peer``'s.

    Raises:
        ParkingError: when there is not enough of it.
    """
    if device.type == "cpu":
        return FileMemory(folder, num_places, place_bytes)
    if peer is None:
        return PinnedMemory(num_places, place_bytes)
    return PeerMemory(peer, num_places, place_bytes)


class FileMemory:
    """A private file without a name: the file system frees it when the process ends, however it ends.

    Only the system's page cache holds it in memory, and drops it where memory is needed. It is read into
    buffers, not mapped: an error of the disk is then an error of this fetch (a mapping would kill the process
    by SIGBUS), other threads run meanwhile, and no page is faulted in one by one.
    """

    def __init__(self, folder: Path, num_places: int, place_bytes: int) -> None:
        self._pitch_bytes = on_pages(place_bytes)
        total_bytes = num_places * self._pitch_bytes
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  # close() closes it
        except OSError as error:
            raise ParkingError(
                f"no file for parked layers can be made in {folder}: {error}; give a folder that can be "
                "written to."
            ) from error
        try:
            os.posix_fallocate(self._file.fileno(), 0, total_bytes)
        except OSError as error:
            self._file.close()
            raise ParkingError(
                f"{folder} has no room for {num_places} parked layers of together {total_bytes} bytes: "
                f"{error}; give another folder, or park fewer layers."
            ) from error

    def write(self, place: int, piece: Tensor) -> None:
        """Write a layer through to the disk, so that its pages can be dropped at once."""
        rest = _bytes_of(piece)
        at_bytes = place * self._pitch_bytes
        while rest:
            num_written = os.pwrite(self._file.fileno(), rest, at_bytes)
            rest, at_bytes = rest[num_written:], at_bytes + num_written
        os.fdatasync(self._file.fileno())

    def fetch(self, place: int, piece: Tensor) -> None:
        """Read a layer."""
        rest = _bytes_of(piece)
        at_bytes = place * self._pitch_bytes
        # Read-ahead alone asks most disks for 128 kB at a time. Asking for the next place too, or declaring
        # the file sequential, made whole passes slower (1.3 and 0.6 GB/s, not 2.0, read-ahead of 8 MB).
        os.posix_fadvise(self._file.fileno(), at_bytes, len(rest), os.POSIX_FADV_WILLNEED)
        while rest:
            num_read = os.preadv(self._file.fileno(), [rest], at_bytes)
            if num_read == 0:
                raise ParkingError(
                    f"the file of parked layers ends at byte {at_bytes}; something cut it short."
                )
            rest, at_bytes = rest[num_read:], at_bytes + num_read

    def close(self) -> None:
        """Close the file; nothing is left of it."""
        self._file.close()


class PinnedMemory:
    """Memory of the host from which GPUs copy by themselves.

    Registered rather than allocated by torch, which rounds pinned allocations up to powers of two.
    """

    def __init__(self, num_places: int, place_bytes: int) -> None:
        _check_host_memory(num_places * place_bytes)
        self._pieces: list[Tensor] = []
        for _ in range(num_places):
            piece = torch.empty(place_bytes, dtype=torch.uint8)
            _check(_cuda_runtime().cudaHostRegister(piece.data_ptr(), place_bytes, 0))
            self._pieces.append(piece)

    def write(self, place: int, piece: Tensor) -> None:
        """Copy a layer to the host, and wait for it."""
        self._pieces[place].copy_(piece)

    def fetch(self, place: int, piece: Tensor) -> None:
        """Enqueue a copy to the device."""
        piece.copy_(self._pieces[place], non_blocking=True)

    def close(self) -> None:
        """Unregister the memory and give it back; no copy may be under way."""
        while self._pieces:
            _check(_cuda_runtime().cudaHostUnregister(self._pieces[-1].data_ptr()))
            self._pieces.pop()


class PeerMemory:
    """Memory of another GPU."""

    def __init__(self, peer: torch.device, num_places: int, place_bytes: int) -> None:
        try:
            self._pieces: Sequence[Tensor] = [
                torch.empty(place_bytes, dtype=torch.uint8, device=peer) for _ in range(num_places)
            ]
        except torch.OutOfMemoryError as error:
            raise ParkingError(
                f"{peer} has no room for {num_places} parked layers of {place_bytes} bytes; park fewer "
                "layers, or park them on the host."
            ) from error

    def write(self, place: int, piece: Tensor) -> None:
        """Enqueue a copy to the other GPU; what later writes to ``piece`` on its stream waits for it."""
        self._pieces[place].copy_(piece)

    def fetch(self, place: int, piece: Tensor) -> None:
        """Enqueue a copy to the device."""
        piece.copy_(self._pieces[place], non_blocking=True)

    def close(self) -> None:
        """Give the memory back."""
        self._pieces = []


def _bytes_of(piece: Tensor) -> memoryview:
    return piece.numpy().data


def _cuda_runtime() -> Any:  # Any: torch leaves it untyped
    return torch.cuda.cudart()  # type: ignore[no-untyped-call]  # as above


def _check(code: object) -> None:
    torch.cuda.check_error(int(code))  # type: ignore[call-overload]  # a number by another name


def _check_host_memory(asked_bytes: int) -> None:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    free_bytes = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    if asked_bytes > free_bytes:
        raise ParkingError(
            f"parked layers take {asked_bytes} bytes of pinned memory, and the host has {free_bytes}; park "
            "fewer layers."
        )

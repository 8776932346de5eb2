"""Work of known length that can be added to an application: a quantum, repeated as often as it takes.

Quanta are counted, not timed: added work stays the same work when somebody else takes the processor. Their
length is measured in processor time while all ranks work, and blocks are read until their time is over.
"""

import mmap
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

Load = Callable[[], None]
Barrier = Callable[[], None]

_SIDE = 192
_SLICE_BYTES = 8 * 2**20
_BUFFER_BYTES = 96 * 2**20
_TINY_BATCH = 20
_BLOCK_BYTES = 256 * 2**10
_READ_FILE_BYTES = 64 * 2**20
_CALIBRATION_S = 0.06
_NUM_CALIBRATIONS = 3


def arithmetic(added_ns: int, barrier: Barrier) -> Load:
    """Products of matrices that fit the cache."""
    left, right, out = (torch.rand(_SIDE, _SIDE) for _ in range(3))
    return _repeated(lambda: torch.mm(left, right, out=out), added_ns, barrier)


def traffic(added_ns: int, barrier: Barrier) -> Load:
    """Triads over slices of buffers that no cache holds."""
    num_values = _BUFFER_BYTES // 4
    buffers = [torch.rand(num_values) for _ in range(3)]
    slices = [torch.split(buffer, _SLICE_BYTES // 4) for buffer in buffers]
    place = 0

    def quantum() -> None:
        nonlocal place
        out, left, right = (parts[place] for parts in slices)
        torch.add(left, right, alpha=1.5, out=out)
        place = (place + 1) % len(slices[0])

    return _repeated(quantum, added_ns, barrier)


def tiny(added_ns: int, barrier: Barrier) -> Load:
    """Operations on one number, with and without a place for the result.

    A number of Python's as an operand would take twice as long: torch makes a tensor of it first.
    """
    number, other = torch.zeros(1), torch.ones(1)

    def quantum() -> None:
        for _ in range(_TINY_BATCH):
            number.add_(other)
            torch.mul(number, other)

    return _repeated(quantum, added_ns, barrier)


def decoding(added_ns: int, barrier: Barrier) -> Load:
    """Decompression of blocks; zlib lets other threads of the interpreter go on."""
    noise = np.random.default_rng(1).integers(0, 16, size=128 * 2**10, dtype=np.uint8)
    block = zlib.compress(noise.tobytes())
    return _repeated(lambda: zlib.decompress(block), added_ns, barrier)


def reading(added_ns: int, path: Path) -> Load:
    """Blocks of a file read past the page cache until the time is over."""
    if not path.exists():
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(os.urandom(_BLOCK_BYTES) * (_READ_FILE_BYTES // _BLOCK_BYTES))
        os.sync()
        partial.rename(path)
    file = os.open(path, os.O_RDONLY | os.O_DIRECT)
    block = mmap.mmap(-1, _BLOCK_BYTES)  # page-aligned, as direct reads ask
    offset = 0

    def load() -> None:
        nonlocal offset
        end_ns = time.perf_counter_ns() + added_ns
        while time.perf_counter_ns() < end_ns:
            os.preadv(file, [block], offset)
            offset = (offset + _BLOCK_BYTES) % _READ_FILE_BYTES

    return load


def waiting(added_ns: int) -> Load:
    """Nothing, for as long."""
    return lambda: time.sleep(added_ns / 1e9)


def _repeated(quantum: Callable[[], object], added_ns: int, barrier: Barrier) -> Load:
    num_quanta = round(added_ns / _quantum_ns(quantum, barrier))

    def load() -> None:
        for _ in range(num_quanta):
            quantum()

    return load


def _quantum_ns(quantum: Callable[[], object], barrier: Barrier) -> float:
    """Processor time of one quantum, the median of a few tries while every rank tries."""
    tries = []
    for _ in range(_NUM_CALIBRATIONS):
        barrier()
        count, begin_ns = 0, time.thread_time_ns()
        while time.thread_time_ns() - begin_ns < _CALIBRATION_S * 1e9:
            quantum()
            count += 1
        tries.append((time.thread_time_ns() - begin_ns) / count)
    return sorted(tries)[_NUM_CALIBRATIONS // 2]

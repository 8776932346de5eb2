"""The checksum of chunks: that which HDF5 itself writes."""

import random

import h5py
import numpy as np
import pytest

from cosmology.fletcher32 import CHECKSUM_BYTES, fletcher32


def by_hdf5(data: bytes) -> int:
    with h5py.File("sums.h5", "w", driver="core", backing_store=False) as file:
        whole = np.frombuffer(data, np.uint8)
        dataset = file.create_dataset("bytes", data=whole, chunks=(len(data),), fletcher32=True)
        file.flush()
        _, stored = dataset.id.read_direct_chunk((0,))
    return int.from_bytes(stored[-CHECKSUM_BYTES:], "little")


@pytest.mark.parametrize("size", [1, 2, 3, 719, 720, 721, 8191, 8192, 8193, 100_003])
@pytest.mark.parametrize("kind", ["random", "zeros", "ones"])
def test_it_is_that_of_hdf5(size: int, kind: str) -> None:
    chance = random.Random(size)
    data = {"random": chance.randbytes(size), "zeros": bytes(size), "ones": b"\xff" * size}[kind]
    assert fletcher32(data) == by_hdf5(data)


def test_every_flipped_bit_changes_it() -> None:
    data = bytearray(random.Random(1).randbytes(9000))
    whole = fletcher32(bytes(data))
    for place in range(0, 9000, 97):
        data[place] ^= 0x10
        assert fletcher32(bytes(data)) != whole
        data[place] ^= 0x10

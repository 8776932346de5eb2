"""Counts in an HDF5 file: compressed chunk by chunk, read without trusting the sizes that the file claims."""

import itertools
import math
import os
import zlib

import h5py
import numpy as np
from numpy.typing import NDArray

from cosmology.codec import Codec, check_available, codec_of, creation_properties
from cosmology.dataset_error import DatasetError
from cosmology.lz4_chunk import is_sound

COUNT_TYPE = "<u2"
MAX_CHUNK_BYTES = 1 << 27
"""128 MiB: a reader holds one chunk packed and unpacked beside the sample; HDF5's own limit is 4 GiB."""

_CHECKSUM_BYTES = 4
_NOT_PACKED = {Codec.BITSHUFFLE_LZ4: 1, Codec.GZIP: 2}
"""The mask of a chunk that packing would have lengthened: the bit of the codec's place among the filters."""
_REMEDY = "delete the file, then generate or import it again"


def chunk_of(sample_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The chunk of samples: a whole sample, or octants of it, or octants of those, up to 128 MiB each."""
    *channels, _, _, side = sample_shape
    num_bytes = math.prod(sample_shape) * np.dtype(COUNT_TYPE).itemsize
    while num_bytes > MAX_CHUNK_BYTES and side % 2 == 0:
        side, num_bytes = side // 2, num_bytes // 8
    return (1, *channels, side, side, side)


def create_counts(
    file: h5py.File, shape: tuple[int, ...], chunk: tuple[int, ...], codec: Codec
) -> h5py.Dataset:
    """An empty dataset ``full`` for counts of ``shape``, whose first axis counts rows."""
    return file.create_dataset("full", shape, COUNT_TYPE, chunks=chunk, **creation_properties(codec))


class StoredCounts:
    """Rows of a dataset of counts, whose structure has been checked.

    Raises:
        DatasetError: when it is packed by foreign filters, or by a codec that is not installed.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        self.codec = codec_of(dataset)
        self._dataset = dataset
        self._name = f"{dataset.name} of {dataset.file.filename}"
        check_available(self.codec, f"{self._name} cannot be read")
        self._chunk: tuple[int, ...] = dataset.chunks[1:]
        self._chunk_bytes = math.prod(self._chunk) * dataset.dtype.itemsize
        self._descriptor = dataset.file.id.get_vfd_handle()
        starts = (range(0, size, step) for size, step in zip(dataset.shape[1:], self._chunk, strict=True))
        self._sound: set[int] = set()
        self._corners = tuple(itertools.product(*starts))

    def read(self, row: int, into: NDArray[np.uint16]) -> None:
        """Unpack one row into a contiguous array of its shape.

        Raises:
            DatasetError: when a chunk claims to unpack to another size than it must.
            OSError, zlib.error: when a chunk is damaged.
        """
        for corner in self._corners:
            place = (row, *corner)
            is_packed = self._checked(place)
            if self.codec is Codec.GZIP:
                window = tuple(slice(at, at + size) for at, size in zip(corner, self._chunk, strict=True))
                into[window] = self._inflated(place, is_packed=is_packed)
        if self.codec is Codec.BITSHUFFLE_LZ4:
            self._dataset.read_direct(into, np.s_[row])

    def _checked(self, place: tuple[int, ...]) -> bool:
        """Whether a chunk is packed, once unpacking it can do no harm."""
        stored = self._dataset.id.get_chunk_info_by_coord(place)
        if stored.byte_offset is None:
            raise DatasetError(f"{self._name} lacks the counts of row {place[0]}; {_REMEDY}.")
        if stored.filter_mask != 0:
            is_as_it_is = stored.filter_mask == _NOT_PACKED[self.codec]
            is_harmless = is_as_it_is and stored.size == self._chunk_bytes + _CHECKSUM_BYTES
        else:
            most_bytes = self._chunk_bytes + self._chunk_bytes // 64 + 4096  # what no codec expands beyond
            is_harmless = stored.size <= most_bytes and (
                self.codec is Codec.GZIP or self._is_sound_lz4(stored)
            )
        if not is_harmless:
            raise DatasetError(
                f"{self._name} has a chunk of {stored.size} bytes that would not unpack to the "
                f"{self._chunk_bytes} due, or skips filters; {_REMEDY}."
            )
        return bool(stored.filter_mask == 0)

    def _is_sound_lz4(self, stored: h5py.h5d.StoreInfo) -> bool:
        """Looked at once while the file is open; against accidents since then there are its checksums."""
        if stored.byte_offset not in self._sound:
            num_bytes = stored.size - _CHECKSUM_BYTES
            packed = os.pread(self._descriptor, num_bytes, stored.byte_offset)
            if not is_sound(packed, self._chunk_bytes):
                return False
            self._sound.add(stored.byte_offset)
        return True

    def _inflated(self, place: tuple[int, ...], *, is_packed: bool) -> NDArray[np.uint16]:
        """A chunk of ``Codec.GZIP``, unpacked here: HDF5's own filter would inflate it without end."""
        _, stored = self._dataset.id.read_direct_chunk(place)
        data = stored[:-_CHECKSUM_BYTES]
        if is_packed:
            data = zlib.decompressobj().decompress(data, self._chunk_bytes + 1)
        if len(data) != self._chunk_bytes:
            raise DatasetError(
                f"{self._name} has a chunk that does not unpack to {self._chunk_bytes} bytes; {_REMEDY}."
            )
        low, high = np.frombuffer(data, np.uint8).reshape(2, *self._chunk)
        return low | high.astype(np.uint16) << np.uint16(8)

"""Counts in an HDF5 file: compressed chunk by chunk, read without trusting the sizes that the file claims."""

import itertools
import math
import os
import zlib

import h5py
import numpy as np
from numpy.typing import NDArray

from cosmology.bitshuffle import can_unpack, unpack
from cosmology.codec import Codec, check_available, codec_of, creation_properties
from cosmology.dataset_error import DatasetError
from cosmology.fletcher32 import CHECKSUM_BYTES, fletcher32
from cosmology.lz4_chunk import is_sound

COUNT_TYPE = "<u2"
MAX_CHUNK_BYTES = 1 << 27
"""128 MiB: a reader holds one chunk packed and unpacked beside the sample; HDF5's own limit is 4 GiB."""

WHOLE_BYTES = 1 << 24
"""Of samples that are one chunk: 128^3 x 4 and below, which nobody needs to share."""
PLANES_BYTES = 1 << 22
"""Of chunks of planes, which are unpacked within the cache of a processor."""

_NOT_PACKED = {Codec.BITSHUFFLE_LZ4: 1, Codec.GZIP: 2}
"""The mask of a chunk that packing would have lengthened: the bit of the codec's place among the filters."""
_REMEDY = "delete the file, then generate or import it again"


def chunk_of(sample_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The chunk of new samples: a whole sample up to 16 MiB, else as many planes along x as 4 MiB hold.

    Ranks that share a sample then unpack little besides their own planes: of a quarter of the planes 3.4
    (128^3) and 4.9 times (256^3) as many in a second as out of whole samples. Whole samples are unpacked in
    place, which planes of several channels are not (``python -m benchmarks.training --part input``).
    """
    *channels, planes, _, side = sample_shape
    plane_bytes = math.prod((*channels, side, side)) * np.dtype(COUNT_TYPE).itemsize
    if planes * plane_bytes <= WHOLE_BYTES:
        return (1, *sample_shape)
    while planes * plane_bytes > PLANES_BYTES and planes % 2 == 0:
        planes //= 2
    return (1, *channels, planes, side, side)


def chunks_of(sample_shape: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Chunks that samples may have: that of new ones, and that of samples written before.

    The latter is a whole sample, or octants of it, or octants of those, up to 128 MiB each.
    """
    *channels, _, _, side = sample_shape
    num_bytes = math.prod(sample_shape) * np.dtype(COUNT_TYPE).itemsize
    while num_bytes > MAX_CHUNK_BYTES and side % 2 == 0:
        side, num_bytes = side // 2, num_bytes // 8
    return chunk_of(sample_shape), (1, *channels, side, side, side)


def create_counts(
    file: h5py.File, shape: tuple[int, ...], chunk: tuple[int, ...], codec: Codec
) -> h5py.Dataset:
    """An empty dataset ``full`` for counts of ``shape``, whose first axis counts rows."""
    return file.create_dataset("full", shape, COUNT_TYPE, chunks=chunk, **creation_properties(codec))


class StoredCounts:
    """Rows of a dataset of counts, whose structure has been checked; several threads may read at once.

    Raises:
        DatasetError: when it is packed by foreign filters, or by a codec that is not installed.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        self.codec = codec_of(dataset)
        self._dataset = dataset
        self._name = f"{dataset.name} of {dataset.file.filename}"
        check_available(self.codec, f"{self._name} cannot be read")
        self._chunk: tuple[int, ...] = dataset.chunks[1:]
        self._shape: tuple[int, ...] = dataset.shape[1:]
        self._chunk_bytes = math.prod(self._chunk) * dataset.dtype.itemsize
        self._descriptor = dataset.file.id.get_vfd_handle()
        starts = (range(0, size, step) for size, step in zip(self._shape, self._chunk, strict=True))
        self._sound: set[int] = set()
        self._corners = tuple(itertools.product(*starts))

    def read(
        self,
        row: int,
        into: NDArray[np.uint16],
        planes: tuple[int, int] | None = None,
        *,
        is_checked_later: bool = False,
    ) -> None:
        """Unpack one row, or the planes from the first up to the second along x, into a contiguous array.

        ``is_checked_later``: the caller knows a checksum of what comes out, so those of the chunks need not
        be looked at.

        Raises:
            DatasetError: when a chunk claims to unpack to another size than it must.
            OSError, zlib.error: when a chunk is damaged.
        """
        axis = len(self._shape) - 3
        begin, end = planes or (0, self._shape[axis])
        for corner in self._corners:
            first, last = max(corner[axis], begin), min(corner[axis] + self._chunk[axis], end)
            if first < last:
                window = [_along(at, size) for at, size in zip(corner, self._chunk, strict=True)]
                window[axis] = slice(first - begin, last - begin)
                taken = slice(first - corner[axis], last - corner[axis])
                self._read_chunk((row, *corner), into[tuple(window)], taken, is_checked=not is_checked_later)

    def _read_chunk(
        self, place: tuple[int, ...], into: NDArray[np.uint16], planes: slice, *, is_checked: bool
    ) -> None:
        """Some planes of one chunk."""
        stored = self._checked(place)
        is_packed = stored.filter_mask == 0
        if self.codec is Codec.BITSHUFFLE_LZ4 and not (is_packed and can_unpack()):
            self._read_by_hdf5(place, into, planes)
            return
        data = self._bytes_of(stored, is_checked=is_checked)
        if self.codec is Codec.GZIP:
            into[...] = self._inflated(data, is_packed=is_packed)[..., planes, :, :]
        elif into.shape == self._chunk and into.flags.c_contiguous:
            unpack(data, into)
        else:
            whole = np.empty(self._chunk, np.uint16)
            unpack(data, whole)
            into[...] = whole[..., planes, :, :]

    def _read_by_hdf5(self, place: tuple[int, ...], into: NDArray[np.uint16], planes: slice) -> None:
        row, *corner = place
        window = [_along(at, size) for at, size in zip(corner, self._chunk, strict=True)]
        window[-3] = slice(corner[-3] + planes.start, corner[-3] + planes.stop)
        into[...] = self._dataset[(row, *window)]

    def _bytes_of(self, stored: h5py.h5d.StoreInfo, *, is_checked: bool) -> bytes:
        """A chunk as it is in the file, without its checksum."""
        data = os.pread(self._descriptor, stored.size - CHECKSUM_BYTES, stored.byte_offset)
        end = stored.byte_offset + stored.size - CHECKSUM_BYTES
        if is_checked and fletcher32(data) != int.from_bytes(
            os.pread(self._descriptor, CHECKSUM_BYTES, end), "little"
        ):
            raise OSError(f"a chunk of {self._name} does not have its checksum")
        return data

    def _checked(self, place: tuple[int, ...]) -> h5py.h5d.StoreInfo:
        """Where a chunk is, once unpacking it can do no harm."""
        stored = self._dataset.id.get_chunk_info_by_coord(place)
        if stored.byte_offset is None:
            raise DatasetError(f"{self._name} lacks the counts of row {place[0]}; {_REMEDY}.")
        if stored.filter_mask != 0:
            is_as_it_is = stored.filter_mask == _NOT_PACKED[self.codec]
            is_harmless = is_as_it_is and stored.size == self._chunk_bytes + CHECKSUM_BYTES
        else:
            most_bytes = self._chunk_bytes + self._chunk_bytes // 64 + 4096  # what no codec expands beyond
            is_harmless = CHECKSUM_BYTES < stored.size <= most_bytes and (
                self.codec is Codec.GZIP or self._is_sound_lz4(stored)
            )
        if not is_harmless:
            raise DatasetError(
                f"{self._name} has a chunk of {stored.size} bytes that would not unpack to the "
                f"{self._chunk_bytes} due, or skips filters; {_REMEDY}."
            )
        return stored

    def _is_sound_lz4(self, stored: h5py.h5d.StoreInfo) -> bool:
        """Looked at once while the file is open; against accidents since then there are its checksums."""
        if stored.byte_offset not in self._sound:
            num_bytes = stored.size - CHECKSUM_BYTES
            packed = os.pread(self._descriptor, num_bytes, stored.byte_offset)
            if not is_sound(packed, self._chunk_bytes):
                return False
            self._sound.add(stored.byte_offset)
        return True

    def _inflated(self, data: bytes, *, is_packed: bool) -> NDArray[np.uint16]:
        """A chunk of ``Codec.GZIP``, unpacked here: HDF5's own filter would inflate it without end."""
        if is_packed:
            data = zlib.decompressobj().decompress(data, self._chunk_bytes + 1)
        if len(data) != self._chunk_bytes:
            raise DatasetError(
                f"{self._name} has a chunk that does not unpack to {self._chunk_bytes} bytes; {_REMEDY}."
            )
        low, high = np.frombuffer(data, np.uint8).reshape(2, *self._chunk)
        return low | high.astype(np.uint16) << np.uint16(8)


def _along(begin: int, size: int) -> slice:
    return slice(begin, begin + size)

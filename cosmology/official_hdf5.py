"""CosmoFlow universes as NERSC publishes them: HDF5 files of ``full`` [x, y, z, redshift] and ``unitPar``.

The files carry no checksums, and may come from anywhere: what is read is what stands in the file itself,
counts of a cube, plain or by gzip, in chunks that are found not to grow beyond their size before HDF5, which
would let them, unpacks them.
"""

import itertools
import math
import operator
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from h5py import h5z
from numpy.typing import NDArray

from cosmology.dataset_error import DatasetError
from cosmology.definition import NUM_TARGETS
from cosmology.memory_limit import memory_limit
from cosmology.official_tfrecord import OfficialSample, checked_targets
from cosmology.tfrecord import FETCH_AGAIN

MAX_SIDE = 4096
MAX_CHANNELS = 16
MAX_CHUNK_BYTES = 1 << 28
"""One chunk is unpacked whole."""
MAX_SLAB_BYTES = 1 << 31
"""Crops are cut from a slab as thick as they are."""
MAX_HEAD_BYTES = 96 << 20
"""Memory for all that a file says of itself: a head of 3 kB that names itself as its own continuation lets
HDF5 (2.0 too) take all that there is."""
_MAX_SMALL_BYTES = 4096
_SPARE_BYTES = 4096
"""By which packing may lengthen what it cannot shorten."""
_NO_MEMORY = ("memory allocation", "allocate memory", "space available for allocation", "more memory than")
"""In the words of HDF5, and in those of a file that is opened here."""
_PIPELINES = ((), (h5z.FILTER_SHUFFLE,), (h5z.FILTER_DEFLATE,), (h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE))
"""Filters that are run, each also with fletcher32 as the last."""
_GIVE = "give files of CosmoFlow's universes as they were published"
_REPACK = "repack it with h5repack -f full:GZIP=1 -l full:CHUNK=64x64x64x4"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialUniverse:
    """What the head of a file says."""

    side: int
    """Voxels per axis."""
    num_channels: int
    targets: tuple[float, ...]
    """Omega_m, sigma_8, n_s and H_0, each normalised to [-1, 1]."""
    redshifts: tuple[float, ...]
    """Of the channels; empty where the file does not say."""


def describe_official_universe(path: Path) -> OfficialUniverse:
    """What a file holds, without its counts.

    Raises:
        DatasetError: for a file that is none of an official universe, or is damaged or beyond the limits.
    """
    with _limited(path), _opened(path) as file:
        full = _checked_counts(file)
        targets = checked_targets(_small(file, "unitPar", NUM_TARGETS), f"unitPar of {path}")
        redshifts = _small(file, "redshifts", full.shape[3]) if "redshifts" in file else np.empty(0)
        return OfficialUniverse(
            side=full.shape[0],
            num_channels=full.shape[3],
            targets=tuple(map(float, targets)),
            redshifts=tuple(map(float, redshifts)),
        )


def read_official_crops(path: Path, resolution: int) -> Iterator[OfficialSample]:
    """The samples of a universe in the official order: crops of ``resolution`` voxels, z fastest.

    Memory stays at a slab of the universe as thick as the crops, and one crop.

    Raises:
        DatasetError: as ``describe_official_universe``, or when the crops do not fill the universe.
    """
    universe = describe_official_universe(path)
    if resolution < 1 or universe.side % resolution:
        raise DatasetError(
            f"{path} has {universe.side} voxels an axis, which crops of {resolution} do not fill; "
            "give a divisor as resolution."
        )
    targets = np.array(universe.targets, np.float32)
    starts = range(0, universe.side, resolution)
    with _opened(path) as file:
        with _limited(path):
            full = _checked_counts(file)
        for x in starts:
            slab = _slab(full, x, x + resolution)
            for y in starts:
                for z in starts:
                    crop = slab[:, y : y + resolution, z : z + resolution]
                    yield OfficialSample(counts=_channel_first(crop), targets=targets)


@contextmanager
def _limited(path: Path) -> Iterator[None]:
    """What a file says of itself is read within ``MAX_HEAD_BYTES``."""
    try:
        with memory_limit(MAX_HEAD_BYTES):
            yield
    except (DatasetError, MemoryError, OSError, RuntimeError, KeyError, ValueError) as error:
        if not (isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY)):
            raise
        raise DatasetError(
            f"{path} is damaged: its head takes more than {MAX_HEAD_BYTES >> 20} MiB to read; {FETCH_AGAIN}."
        ) from None  # the library tells of this limit as if the machine had no more


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """A foreign file; whatever HDF5 dislikes inside becomes a DatasetError."""
    if not path.is_file():
        raise DatasetError(f"{path} is no file; {_GIVE}.")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except DatasetError:
        raise
    except MemoryError as error:
        raise DatasetError(f"{path} needs more memory than there is; {FETCH_AGAIN}.") from error
    except (OSError, KeyError, RuntimeError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DatasetError(f"{path} is damaged or no HDF5 file ({error}); {FETCH_AGAIN}.") from error


def _checked_counts(file: h5py.File) -> h5py.Dataset:
    """``full``, once everything that can be checked without reading it is."""
    full = _own_dataset(file, "full")
    shape, name = full.shape, f"full of {file.filename}"
    if shape is None or len(shape) != 4 or len(set(shape[:3])) != 1 or not 0 < shape[0] <= MAX_SIDE:
        raise DatasetError(f"{name} has the shape {shape}, not that of a cube [x, y, z, redshift]; {_GIVE}.")
    if not 0 < shape[3] <= MAX_CHANNELS:
        raise DatasetError(f"{name} has {shape[3]} redshifts; 1 to {MAX_CHANNELS} can be; {_GIVE}.")
    if full.dtype.kind not in "iu" or full.dtype.itemsize != 2:
        raise DatasetError(f"{name} holds {full.dtype}, not counts of 16 bits; {_GIVE}.")
    _check_storage(full, name)
    return full


def _check_storage(full: h5py.Dataset, name: str) -> None:
    """Refuse huge chunks, foreign filters, and cubes of which little was written."""
    chunks = full.chunks or full.shape
    if full.chunks and (2 * math.prod(chunks) > MAX_CHUNK_BYTES or any(map(operator.gt, chunks, full.shape))):
        raise DatasetError(
            f"{name} has chunks of {chunks}, above the limit of {MAX_CHUNK_BYTES} bytes or larger than the "
            f"cube; {_REPACK}."
        )
    filters = _filters(full)
    without_checksum = filters[:-1] if filters[-1:] == (h5z.FILTER_FLETCHER32,) else filters
    if without_checksum not in _PIPELINES:
        raise DatasetError(f"{name} is packed by the HDF5 filters {filters}, which are not run; {_REPACK}.")
    stored_bytes = full.id.get_storage_size()
    num_written, num_due = stored_bytes, 2 * math.prod(full.shape)
    if full.chunks:
        num_written = full.id.get_num_chunks()
        num_due = math.prod(-(-size // step) for size, step in zip(full.shape, chunks, strict=True))
    if num_written != num_due or stored_bytes > Path(full.file.filename).stat().st_size:
        raise DatasetError(f"{name} was not written whole ({num_written} of {num_due}); {FETCH_AGAIN}.")


def _slab(full: h5py.Dataset, start: int, stop: int) -> NDArray[np.generic]:
    """Counts [x, y, z, redshift] of some planes."""
    if 2 * (stop - start) * math.prod(full.shape[1:]) > MAX_SLAB_BYTES:
        raise DatasetError(
            f"{stop - start} planes of {full.file.filename} have more than {MAX_SLAB_BYTES} bytes; give a "
            "lower resolution."
        )
    if h5z.FILTER_DEFLATE in _filters(full):
        first = start // full.chunks[0] * full.chunks[0]
        axes = (range(first, stop, full.chunks[0]), *map(range, (0, 0, 0), full.shape[1:], full.chunks[1:]))
        for corner in itertools.product(*axes):
            _check_growth(full, corner)
    slab: NDArray[np.generic] = full[start:stop]
    return slab


def _check_growth(full: h5py.Dataset, corner: tuple[int, ...]) -> None:
    """Refuse a chunk that inflates beyond its size: HDF5 would go on for as long as there is memory."""
    chunk_bytes = 2 * math.prod(full.chunks)
    if full.id.get_chunk_info_by_coord(corner).size > chunk_bytes + chunk_bytes // 64 + _SPARE_BYTES:
        raise DatasetError(f"{full.file.filename} has a chunk longer than what it holds; {FETCH_AGAIN}.")
    skipped, packed = full.id.read_direct_chunk(corner)
    if skipped >> _filters(full).index(h5z.FILTER_DEFLATE) & 1:
        return
    try:
        inflated = zlib.decompressobj().decompress(packed, chunk_bytes + 1)
    except zlib.error as error:
        raise DatasetError(f"{full.file.filename} is damaged ({error}); {FETCH_AGAIN}.") from error
    if len(inflated) != chunk_bytes:
        raise DatasetError(
            f"{full.file.filename} has a chunk that does not unpack to the {chunk_bytes} bytes due; "
            f"{FETCH_AGAIN}."
        )


def _filters(dataset: h5py.Dataset) -> tuple[int, ...]:
    creation = dataset.id.get_create_plist()
    return tuple(creation.get_filter(place)[0] for place in range(creation.get_nfilters()))


def _small(file: h5py.File, name: str, num_values: int) -> NDArray[np.float64]:
    """A short list of finite numbers."""
    dataset = _own_dataset(file, name)
    where = f"{name} of {file.filename}"
    if dataset.shape != (num_values,) or dataset.dtype.kind != "f":
        raise DatasetError(f"{where} is {dataset.dtype} {dataset.shape}, not {num_values} numbers; {_GIVE}.")
    if _filters(dataset) or 8 * math.prod(dataset.chunks or (1,)) > _MAX_SMALL_BYTES:
        raise DatasetError(
            f"{where} is packed, or in chunks of {dataset.chunks}, for {num_values} numbers; {_GIVE}."
        )
    values: NDArray[np.float64] = dataset[:].astype(np.float64)
    if not np.isfinite(values).all():
        raise DatasetError(f"{where} has a number that is none; {FETCH_AGAIN}.")
    return values


def _own_dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """A dataset that is stored in this very file."""
    link = file.get(name, getlink=True)
    if link is None:
        raise DatasetError(f"{file.filename} lacks {name}; {_GIVE}.")
    if not isinstance(link, h5py.HardLink):
        raise DatasetError(f"{name} of {file.filename} is a link to elsewhere, which is refused; {_GIVE}.")
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset):
        raise DatasetError(f"{name} of {file.filename} is no dataset; {_GIVE}.")
    if dataset.is_virtual or dataset.external:
        raise DatasetError(f"{name} of {file.filename} is stored elsewhere, which is refused; {_GIVE}.")
    return dataset


def _channel_first(counts: NDArray[np.generic]) -> NDArray[np.uint16]:
    """Counts [redshift, x, y, z]; 16 bits that were stored as signed are the unsigned number."""
    native = counts.astype(counts.dtype.newbyteorder("="), copy=False).view(np.uint16)
    return np.ascontiguousarray(np.moveaxis(native, -1, 0))

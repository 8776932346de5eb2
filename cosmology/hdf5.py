"""Strict HDF5: files that state no times, and reading of nothing but what this package wrote."""

import importlib.metadata
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5f, h5p, h5z
from numpy.typing import NDArray

from cosmology.dataset_error import DatasetError
from cosmology.power_kind import PowerKind

REMEDY = "delete it, then generate or import it again: what is whole is kept"
_ERROR_NUMBER = re.compile(r"errno = (\d+)")
_LIBRARIES = ("h5py", "hdf5plugin", "numpy", "torch")


@contextmanager
def created(path: Path) -> Iterator[h5py.File]:
    """A new file in the format of HDF5 1.10, whose metadata carry checksums; without times: bytes repeat.

    Of a dataset that is let go before the file HDF5 loses what the disk does not take, and h5py does not
    tell: flush it before.

    Raises:
        OSError: when the disk takes no more.
    """
    creation = h5p.create(h5p.FILE_CREATE)
    creation.set_obj_track_times(False)
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fapl_sec2()
    access.set_libver_bounds(h5f.LIBVER_V110, h5f.LIBVER_V110)
    with _telling_disk(path):
        identifier = h5f.create(os.fsencode(path), h5f.ACC_TRUNC, fcpl=creation, fapl=access)
        with h5py.File(identifier) as file:
            try:
                yield file
                file.flush()
            except BaseException:
                _let_go(file)
                raise


def _let_go(file: h5py.File) -> None:
    """Let a file that nobody wants any more be written to memory, little as it is.

    HDF5 tries again what the disk did not take, when it closes the file and when the process ends, where it
    crashes if it cannot.
    """
    nowhere = os.memfd_create("nowhere")
    os.dup2(nowhere, file.id.get_vfd_handle(), inheritable=False)
    os.close(nowhere)


@contextmanager
def _telling_disk(path: Path) -> Iterator[None]:
    """Raise in short what a disk refuses: h5py quotes it in long errors of several kinds."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        quoted = _ERROR_NUMBER.search(str(error))
        if quoted is None:
            raise
        number = int(quoted[1])
        raise OSError(number, os.strerror(number), str(path)) from error


def open_file(path: Path) -> h5py.File:
    """A finished file, open for reading.

    It never changes again, so no lock is taken, which some parallel file systems do not have; and HDF5 keeps
    no cache, so that a sample read again is read from the file, whatever its size.
    """
    return h5py.File(path, "r", rdcc_nbytes=0, locking=False)


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """A file open for reading; whatever HDF5 dislikes inside becomes a DatasetError."""
    with naming_damage(path), open_file(path) as file:
        yield file


@contextmanager
def naming_damage(path: Path) -> Iterator[None]:
    """Turn what is raised on a bad file into a DatasetError that names the file and the remedy."""
    try:
        yield
    except DatasetError:
        raise
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing; generate the data set (again).") from error
    except (OSError, KeyError, RuntimeError, TypeError, ValueError, zlib.error) as error:
        raise DatasetError(f"{path} is damaged ({error}); {REMEDY}.") from error


def checked_dataset(
    file: h5py.File, name: str, shape: tuple[int, ...], dtype: str, chunks: Sequence[tuple[int, ...]]
) -> h5py.Dataset:
    """The dataset ``name``, stored in this file with checksums, of this shape and type, in such chunks."""
    link = file.get(name, getlink=True)
    if link is None:
        raise DatasetError(f"{file.filename} lacks {name}; {REMEDY}.")
    if not isinstance(link, h5py.HardLink):
        raise DatasetError(f"{name} of {file.filename} is a link to elsewhere, which is refused; {REMEDY}.")
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset):
        raise DatasetError(f"{name} of {file.filename} is no dataset; {REMEDY}.")
    if dataset.is_virtual or dataset.external or file.userblock_size:
        raise DatasetError(f"{name} of {file.filename} is stored elsewhere, which is refused; {REMEDY}.")
    if dataset.shape != shape or dataset.dtype != np.dtype(dtype):
        raise DatasetError(
            f"{name} of {file.filename} is {dataset.dtype} {dataset.shape}, not {dtype} {shape}; {REMEDY}."
        )
    if not dataset.fletcher32:
        raise DatasetError(f"{name} of {file.filename} has no checksums; {REMEDY}.")
    if dataset.chunks not in chunks or dataset.maxshape != shape:
        raise DatasetError(
            f"{name} of {file.filename} is cut into chunks of {dataset.chunks}, not {chunks[0]}, or may "
            f"grow; {REMEDY}."
        )
    return dataset


def write_column(file: h5py.File, name: str, column: NDArray[Any]) -> None:  # Any: of any type
    """A small table in one chunk with a checksum."""
    file.create_dataset(name, data=column, chunks=column.shape, fletcher32=True).flush()


def read_column(
    file: h5py.File, name: str, shape: tuple[int, ...], dtype: str
) -> NDArray[Any]:  # Any: of any type
    """A table that ``write_column`` wrote, packed by nothing that could unpack to more."""
    dataset = checked_dataset(file, name, shape, dtype, (shape,))
    properties = dataset.id.get_create_plist()
    filters = tuple(properties.get_filter(place)[0] for place in range(properties.get_nfilters()))
    if filters != (h5z.FILTER_FLETCHER32,):
        raise DatasetError(
            f"{name} of {file.filename} is packed by HDF5 filters {filters}, which is refused; {REMEDY}."
        )
    return dataset[:]


def provenance(canonical: Mapping[str, object], device: str) -> str:
    """JSON of what made a file: the definition, the kind of device and the versions of the libraries.

    Nothing in it depends on who made the file or when, so that equal definitions give equal bytes.
    """
    kind = device.partition(":")[0]
    by_camb = canonical.get("linear_power") == PowerKind.CAMB
    versions = _versions((*_LIBRARIES, "camb") if by_camb else _LIBRARIES)
    return json.dumps({"definition": canonical, "device": kind, "versions": versions}, sort_keys=True)


@lru_cache
def _versions(libraries: tuple[str, ...]) -> dict[str, str]:
    """Of what decides counts and bytes; torch is read about, not imported: login nodes have none."""
    versions = {"hdf5": h5py.version.hdf5_version}
    for name in libraries:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions

"""Strict reading of HDF5: only what this package wrote, nothing that points elsewhere, every error named."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import torch

from cosmology.definition import DatasetError

_REMEDY = "delete it and generate again: what is whole is kept"


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """A file open for reading; whatever HDF5 dislikes inside becomes a DatasetError."""
    with naming_damage(path), h5py.File(path, "r") as file:
        yield file


@contextmanager
def naming_damage(path: Path) -> Iterator[None]:
    """Turn what HDF5 raises on a bad file into a DatasetError that names the file and the remedy."""
    try:
        yield
    except DatasetError:
        raise
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing; generate the data set (again).") from error
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise DatasetError(f"{path} is damaged ({error}); {_REMEDY}.") from error


def checked_dataset(file: h5py.File, name: str, shape: tuple[int, ...], dtype: str) -> h5py.Dataset:
    """The dataset ``name``, stored in this very file with checksums, of exactly this shape and type."""
    link = file.get(name, getlink=True)
    if link is None:
        raise DatasetError(f"{file.filename} lacks {name}; {_REMEDY}.")
    if not isinstance(link, h5py.HardLink):
        raise DatasetError(f"{name} of {file.filename} is a link to elsewhere, which is refused; {_REMEDY}.")
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset):
        raise DatasetError(f"{name} of {file.filename} is no dataset; {_REMEDY}.")
    if dataset.is_virtual or dataset.external:
        raise DatasetError(f"{name} of {file.filename} is stored elsewhere, which is refused; {_REMEDY}.")
    if dataset.shape != shape or dataset.dtype != np.dtype(dtype):
        raise DatasetError(
            f"{name} of {file.filename} is {dataset.dtype} {dataset.shape}, not {dtype} {shape}; {_REMEDY}."
        )
    if not dataset.fletcher32:
        raise DatasetError(f"{name} of {file.filename} has no checksums; {_REMEDY}.")
    return dataset


def provenance(canonical: Mapping[str, object], device: str) -> str:
    """JSON of what made a file: the definition, the kind of device and the versions of the libraries.

    Nothing in it depends on who made the file or when, so that equal definitions give equal bytes.
    """
    versions = {"h5py": h5py.__version__, "numpy": np.__version__, "torch": str(torch.__version__)}
    kind = torch.device(device).type
    return json.dumps({"definition": canonical, "device": kind, "versions": versions}, sort_keys=True)

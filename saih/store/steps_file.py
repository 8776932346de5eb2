"""The durations and losses of one attempt as an HDF5 file, built and read whole in memory."""

import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from saih.domain.errors import DamagedData
from saih.domain.record import Phase, Steps

_STEP = "step"
_LOSSES = "losses"
_PHASES = {str(phase): phase for phase in Phase}


def encode_steps(steps: Steps) -> bytes:
    """The bytes of steps.h5.

    Datasets: ``step`` and one per phase, int64 [ranks, steps] in ns; ``losses``, float64 [steps with
    warm-up]. All are chunked with fletcher32. Attribute ``warmup_steps``.

    Raises:
        ValueError: for no steps, ragged ones, or a loss that is not finite.
    """
    shape = (steps.num_ranks, steps.num_steps)
    arrays = {_STEP: np.array(steps.step_ns, dtype=np.int64)}
    for phase, duration_ns in steps.duration_ns.items():
        arrays[str(phase)] = np.array(duration_ns, dtype=np.int64)
    wrong = {name: array.shape for name, array in arrays.items() if array.shape != shape}
    losses = np.array(steps.losses, dtype=np.float64)
    if wrong or 0 in shape or not len(losses) or not np.isfinite(losses).all():
        raise ValueError(f"steps of shape {shape} have phases of shape {wrong} or losses {steps.losses}")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, array in {**arrays, _LOSSES: losses}.items():
            chunks = (min(len(array), 64), *array.shape[1:])
            file.create_dataset(name, data=array, chunks=chunks, fletcher32=True)
        file.attrs["warmup_steps"] = np.int64(steps.warmup_steps)
    return buffer.getvalue()


def decode_steps(data: bytes, path: Path) -> Steps:
    """The steps of such a file; ``path`` is for messages.

    Raises:
        DamagedData: for anything that ``encode_steps`` does not write, such as linked, external, virtual
            or compressed data, another type or shape, or more data declared than the file holds.
    """
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            return _read(file, len(data))
    # A damaged file makes h5py raise nearly anything; each such case is damage, none is a crash.
    except Exception as error:
        raise DamagedData(
            f"{path} is damaged: {error}.",
            "restore it from a copy, or run the same sweep again: it measures the point anew "
            "(then delete this attempt folder).",
        ) from error


def _read(file: h5py.File, num_bytes: int) -> Steps:
    unknown = set(file) - {_STEP, _LOSSES, *_PHASES}
    if unknown or _STEP not in file or _LOSSES not in file:
        raise ValueError(f"it holds {sorted(file)}")
    for name in file:
        _require_plain(file, name, num_bytes)
    shape = file[_STEP].shape
    arrays = {name: _durations(file[name], shape) for name in file if name != _LOSSES}
    losses = file[_LOSSES][()]
    warmup_steps = int(file.attrs["warmup_steps"])
    if warmup_steps < 0 or losses.ndim != 1 or not np.isfinite(losses).all():
        raise ValueError("its losses or warm-up steps are impossible")
    return Steps(
        duration_ns={_PHASES[name]: array for name, array in arrays.items() if name != _STEP},
        step_ns=arrays[_STEP],
        losses=tuple(losses.tolist()),
        warmup_steps=warmup_steps,
    )


def _require_plain(file: h5py.File, name: str, num_bytes: int) -> None:
    link = file.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise TypeError(f"{name} is a link to elsewhere")
    dataset = file[name]
    kind = np.float64 if name == _LOSSES else np.int64
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype != kind:
        raise TypeError(f"{name} is not a dataset of {kind.__name__}")
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"{name} keeps its data in another file")
    plist = dataset.id.get_create_plist()
    filters = {plist.get_filter(index)[0] for index in range(plist.get_nfilters())}
    if filters != {h5py.h5z.FILTER_FLETCHER32}:
        raise ValueError(f"{name} has filters {sorted(filters)}, expected fletcher32 alone")
    if not 0 < dataset.nbytes <= min(num_bytes, dataset.id.get_storage_size()):
        raise ValueError(f"{name} declares {dataset.nbytes} bytes, more than the file holds")


def _durations(dataset: h5py.Dataset, shape: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    if len(shape) != 2 or dataset.shape != shape:
        raise ValueError(f"{dataset.name} has shape {dataset.shape}, expected {shape}")
    rows: Any = dataset[()].tolist()
    if min(map(min, rows)) < 0:
        raise ValueError(f"{dataset.name} has a negative duration")
    return tuple(tuple(row) for row in rows)

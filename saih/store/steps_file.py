"""The durations and losses of one attempt as an HDF5 file, built and read whole in memory."""

import io
import math
from itertools import count
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from saih.domain.errors import DamagedData
from saih.domain.record import Meter, Phase, RankSummary, Steps

Arrays = dict[str, NDArray[Any]]  # Any: int64 once a file was checked
_STEP, _LOSSES, _KEPT, _SLOWEST = "step", "losses", "kept", "slowest"
_PHASES = {str(phase): phase for phase in Phase}
_METERS = {str(meter): meter for meter in Meter}
_MEDIAN = "median_"
"""Before ``step`` or a phase: the median of every rank."""
_MAX_CHUNK = 2**16
_MOST_DATASETS = 100
"""Several times as many as any version writes."""
_NUMBERS = count()
_SUMMARY = {_KEPT, _SLOWEST, _MEDIAN + _STEP}
_MEDIANS = {_MEDIAN + name for name in (_STEP, *_PHASES)}


def encode_steps(steps: Steps) -> bytes:
    """The bytes of steps.h5.

    Datasets: ``step`` and one per phase, int64 [ranks, steps] in ns; one per meter that could be read, int64
    [ranks, steps] in ns or bytes; ``losses``, float64 [steps with warm-up]. Where not all ranks are kept
    whole, also ``kept``, int64 [rows], ``slowest``, int64 [steps], and ``median_step`` and one such for each
    phase, int64 [all ranks]. All are chunked with fletcher32. Attribute ``warmup_steps``.

    Raises:
        ValueError: for no steps, ragged ones, an impossible summary, or a loss that is not finite.
    """
    shape = (len(steps.step_ns), steps.num_steps)
    rows = {_STEP: steps.step_ns, **{str(phase): rows for phase, rows in steps.duration_ns.items()}}
    arrays = {name: np.array(duration_ns, dtype=np.int64) for name, duration_ns in rows.items()}
    wrong = {name: array.shape for name, array in arrays.items() if array.shape != shape}
    losses = np.array(steps.losses, dtype=np.float64)
    if wrong or 0 in shape or not len(losses) or not np.isfinite(losses).all():
        raise ValueError(f"steps of shape {shape} have phases of shape {wrong} or losses {steps.losses}")
    if steps.summary is not None:
        summary = _summary_arrays(steps.summary)
        _require_summary(arrays, summary)
        arrays |= summary
    arrays |= {str(meter): np.array(values, dtype=np.int64) for meter, values in steps.meters.items()}
    _require_meters(arrays, shape)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, array in {**arrays, _LOSSES: losses}.items():
            chunks = (min(len(array), 64 if array.ndim > 1 else _MAX_CHUNK), *array.shape[1:])
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
        return _read(*_contents(data))
    # A damaged file makes h5py raise nearly anything; each such case is damage, none is a crash.
    except Exception as error:
        raise DamagedData(
            f"{path} is damaged: {error}.",
            "restore it from a copy, or run the same sweep again: it measures the point anew "
            "(then delete this attempt folder).",
        ) from error


def _contents(data: bytes) -> tuple[Arrays, int]:
    """Every dataset of a file, and its warm-up steps, through HDF5's own functions.

    Records are read by the ten thousands, and the comforts of ``h5py.File`` take three quarters of the time.
    """
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fapl_core(backing_store=False)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    access.set_file_image(data)
    # HDF5 takes two open files of one name for one file.
    file = h5py.h5f.open(b"steps in memory %d" % next(_NUMBERS), h5py.h5f.ACC_RDONLY, access)
    try:
        root = h5py.h5g.open(file, b"/")
        num_datasets = root.get_num_objs()
        if num_datasets > _MOST_DATASETS:
            raise ValueError(f"it holds {num_datasets} data sets")
        names = sorted(root.get_objname_by_idx(index) for index in range(num_datasets))
        _require_names({name.decode() for name in names})
        arrays = {name.decode(): _read_plain(root, name, len(data)) for name in names}
        warmup_steps = np.zeros((), dtype=np.int64)
        h5py.h5a.open(root, b"warmup_steps").read(warmup_steps)
    finally:
        file.close()
    return arrays, int(warmup_steps)


def _read(arrays: Arrays, warmup_steps: int) -> Steps:
    names = set(arrays)
    is_summarised = _KEPT in names
    losses = arrays.pop(_LOSSES)
    summary = {name: arrays.pop(name) for name in names & (_SUMMARY | _MEDIANS)}
    if warmup_steps < 0 or losses.ndim != 1 or not np.isfinite(losses).all():
        raise ValueError("its losses or warm-up steps are impossible")
    meters = {name: arrays.pop(name) for name in names & set(_METERS)}
    _require_durations(arrays)
    _require_meters(meters, arrays[_STEP].shape)
    if is_summarised:
        _require_summary(arrays, summary)
    rows = {name: tuple(map(tuple, array.tolist())) for name, array in arrays.items()}
    return Steps(
        duration_ns={_PHASES[name]: array for name, array in rows.items() if name != _STEP},
        step_ns=rows[_STEP],
        losses=tuple(losses.tolist()),
        warmup_steps=warmup_steps,
        summary=_summary(summary) if is_summarised else None,
        meters={_METERS[name]: tuple(map(tuple, array.tolist())) for name, array in meters.items()},
    )


def _require_names(names: set[str]) -> None:
    is_summarised = _KEPT in names
    allowed = {_STEP, _LOSSES, *_PHASES, *_METERS} | (_SUMMARY | _MEDIANS if is_summarised else set())
    required = {_STEP, _LOSSES} | (_SUMMARY if is_summarised else set())
    if names - allowed or required - names:
        raise ValueError(f"it holds {sorted(names)}")


def _read_plain(root: h5py.h5g.GroupID, name: bytes, num_bytes: int) -> NDArray[Any]:
    """What a dataset holds, if nothing about it is but as ``encode_steps`` makes it."""
    if root.links.get_info(name).type != h5py.h5l.TYPE_HARD:
        raise TypeError(f"{name.decode()} is a link to elsewhere")
    dataset = h5py.h5o.open(root, name)
    kind = np.float64 if name == _LOSSES.encode() else np.int64
    if not isinstance(dataset, h5py.h5d.DatasetID) or dataset.dtype != kind:
        raise TypeError(f"{name.decode()} is not a dataset of {kind.__name__}")
    plist = dataset.get_create_plist()
    if plist.get_layout() == h5py.h5d.VIRTUAL or plist.get_external_count():
        raise ValueError(f"{name.decode()} keeps its data in another file")
    filters = {plist.get_filter(index)[0] for index in range(plist.get_nfilters())}
    if filters != {h5py.h5z.FILTER_FLETCHER32}:
        raise ValueError(f"{name.decode()} has filters {sorted(filters)}, expected fletcher32 alone")
    shape = dataset.shape
    declared = math.prod(shape) * np.dtype(kind).itemsize
    if not 0 < declared <= min(num_bytes, dataset.get_storage_size()):
        raise ValueError(f"{name.decode()} declares {declared} bytes, more than the file holds")
    found = np.empty(shape, dtype=kind)
    dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, found)
    return found


def _require_durations(arrays: Arrays) -> None:
    shape = arrays[_STEP].shape
    for name, array in arrays.items():
        if len(shape) != 2 or array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
        if array.min() < 0:
            raise ValueError(f"{name} has a negative duration")


def _require_meters(arrays: Arrays, shape: tuple[int, ...]) -> None:
    for name in _METERS:
        if name in arrays and (arrays[name].shape != shape or arrays[name].min() < 0):
            raise ValueError(f"{name} has shape {arrays[name].shape}, expected {shape}, or is negative")


def _summary_arrays(summary: RankSummary) -> Arrays:
    values = {
        _KEPT: summary.kept,
        _SLOWEST: summary.slowest_ns,
        _MEDIAN + _STEP: summary.median_step_ns,
        **{f"{_MEDIAN}{phase}": medians for phase, medians in summary.median_ns.items()},
    }
    return {name: np.array(value, dtype=np.int64) for name, value in values.items()}


def _require_summary(rows: Arrays, summary: Arrays) -> None:
    """Refuse a summary that cannot be of these rows."""
    num_rows, num_steps = rows[_STEP].shape
    kept, slowest = summary[_KEPT], summary[_SLOWEST]
    num_ranks = summary[_MEDIAN + _STEP].size
    medians = {name: array for name, array in summary.items() if name in _MEDIANS}
    if {name.removeprefix(_MEDIAN) for name in medians} != set(rows):
        raise ValueError(f"it has medians {sorted(medians)} of {sorted(rows)}")
    if any(array.shape != (num_ranks,) or array.min() < 0 for array in medians.values()):
        raise ValueError(f"its medians are not durations of {num_ranks} ranks each")
    if kept.shape != (num_rows,) or len(set(kept.tolist())) != num_rows:
        raise ValueError(f"its {num_rows} rows are of ranks {kept.tolist()}")
    if kept.min() < 0 or kept.max() >= num_ranks:
        raise ValueError(f"it keeps ranks {kept.tolist()} of {num_ranks}")
    if slowest.shape != (num_steps,) or (slowest < rows[_STEP].max(axis=0)).any():
        raise ValueError("a rank that was kept is slower than the slowest")


def _summary(arrays: Arrays) -> RankSummary:
    values = {name: tuple(array.tolist()) for name, array in arrays.items()}
    return RankSummary(
        num_ranks=len(values[_MEDIAN + _STEP]),
        kept=values[_KEPT],
        slowest_ns=values[_SLOWEST],
        median_step_ns=values[_MEDIAN + _STEP],
        median_ns={
            phase: values[_MEDIAN + name] for name, phase in _PHASES.items() if _MEDIAN + name in values
        },
    )

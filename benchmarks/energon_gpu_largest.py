"""The largest model that this device computes, with all layers on it and with some of them parked."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from benchmarks.energon_gpu_model import (
    DrawnWeights,
    Setting,
    architecture_of,
    give_memory_back,
    seconds,
    token_ids,
)
from benchmarks.energon_gpu_report import Bar, Cell, Section
from benchmarks.energon_pooling_model import Model
from workloads.energon.layer_record import held_bytes, record_of
from workloads.energon.parking import build_store
from workloads.energon.parking_layout import on_pages
from workloads.energon.plan import plan_engine
from workloads.transformer.architecture import Family
from workloads.transformer.weight_names import num_parameters

DISTANCE = 1
_NUM_BUFFERS = DISTANCE + 1
_LEFT_ON_HOST_BYTES = 12 * 2**30
"""For this process, its libraries and the system."""
_NUM_PASSES = 2
_TRIED_ABOVE = 2
"""Layers beyond what should fit: the first number that runs is the greatest."""
_QUICK_DEVICE_LAYERS, _QUICK_PARKED_LAYERS = 3, 4
_COLUMNS = ("layers", "on the device", "parked", "weights", "of which on the device", "pass [s]",
            "a layer [ms]", "tokens/s")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of a layer, and of the one sequence that goes through the model."""

    hidden: int
    num_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A model that ran, and what a pass of it takes."""

    num_layers: int
    num_parked: int
    pass_s: float
    is_finite: bool


def largest(setting: Setting) -> Section:
    """A model is made longer by layers as wide as those of GPT-3 until one more does not fit."""
    size = Size(hidden=64, num_tokens=16) if setting.is_quick else Size(hidden=12288, num_tokens=8192)
    layer_bytes, room_bytes = _layer_bytes(setting, size), _room_bytes(setting, size)
    estimate = room_bytes // layer_bytes
    resident = _most(setting, estimate + _TRIED_ABOVE, lambda number: _run(setting, size, number, 0))
    num_parked = _parked_layers(setting, layer_bytes)
    # Buffers take the place of layers; with more on the device it would be the resident model's one too many.
    pooled = _most(
        setting,
        resident.num_layers - _NUM_BUFFERS,
        lambda number: _run(setting, size, number + num_parked, num_parked),
    )
    more = _parameters(size, pooled) / _parameters(size, resident)
    slower = (pooled.pass_s / pooled.num_layers) / (resident.pass_s / resident.num_layers)
    return Section(
        title="Largest model",
        columns=_COLUMNS,
        rows=tuple(_row(size, layer_bytes, found) for found in (resident, pooled)),
        remarks=(_remark(setting, size, more, slower),),
        bars=(
            Bar(name="largest model, finite logits", value=float(resident.is_finite and pooled.is_finite),
                unit="", relation=">=", limit=1.0),
            Bar(name="largest model, pooled over resident", value=more, unit="times the weights",
                relation=">", limit=1.0),
        ),
    )  # fmt: skip


def _remark(setting: Setting, size: Size, more: float, slower: float) -> str:
    return (
        f"GPT-2 with layers of {size.hidden}, {setting.dtype}, one sequence of {size.num_tokens} tokens; one "
        f"layer more does not fit. Parking makes the model {more:.2f} times as large, and a layer takes "
        f"{slower:.2f} times as long."
    )


def _most(setting: Setting, greatest: int, run: Callable[[int], Found]) -> Found:
    """What runs with the most layers on the device, ``greatest`` of them at most."""
    for number in range(greatest, -1, -1):
        found = _tried(number, run)
        give_memory_back(setting.device)
        if found is not None:
            return found
    raise RuntimeError("not even one layer runs on the device")


def _tried(number: int, run: Callable[[int], Found]) -> Found | None:
    try:
        return run(number)
    except torch.OutOfMemoryError:
        return None


def _run(setting: Setting, size: Size, num_layers: int, num_parked: int) -> Found:
    """Load so many layers and pass through them."""
    architecture = architecture_of(Family.GPT2, num_layers, size.hidden, size.num_tokens)
    ids = token_ids(size.num_tokens, architecture.vocab_size)
    model = Model(architecture, DrawnWeights(architecture, setting), setting.device, ids)
    _stay_within_a_quick_device(setting, num_layers, num_parked)
    model.ends()
    plan = replace(plan_engine(architecture, num_parked=num_parked), prefetch_distance=DISTANCE)
    store = build_store(model.load, model.layers, plan, folder=setting.folder, clock=time.perf_counter_ns)
    with closing(store):
        logits = model.forward(store)
        took_s = [seconds(setting.device, lambda: model.forward(store)) for _ in range(_NUM_PASSES)]
    return Found(
        num_layers=num_layers,
        num_parked=num_parked,
        pass_s=min(took_s),
        is_finite=bool(logits.isfinite().all()),
    )


def _stay_within_a_quick_device(setting: Setting, num_layers: int, num_parked: int) -> None:
    """A CPU has no memory of its own that could be full: quick runs are given room for a few layers."""
    on_device = num_layers - num_parked + (_NUM_BUFFERS if num_parked else 0)
    if setting.device.type == "cpu" and on_device > _QUICK_DEVICE_LAYERS:
        raise torch.OutOfMemoryError(f"{on_device} layers are more than {_QUICK_DEVICE_LAYERS}")


def _layer_bytes(setting: Setting, size: Size) -> int:
    architecture = architecture_of(Family.GPT2, 1, size.hidden, size.num_tokens)
    model = Model(architecture, DrawnWeights(architecture, setting), setting.device, [0])
    num_bytes = on_pages(record_of(model.load(0)).num_bytes)
    give_memory_back(setting.device)
    return num_bytes


def _room_bytes(setting: Setting, size: Size) -> int:
    """What the device has for layers, as far as is known before one tries."""
    if setting.device.type == "cpu":
        return _QUICK_DEVICE_LAYERS * _layer_bytes(setting, size)
    architecture = architecture_of(Family.GPT2, 1, size.hidden, size.num_tokens)
    model = Model(architecture, DrawnWeights(architecture, setting), setting.device, [0])
    return torch.cuda.mem_get_info(setting.device)[0] - held_bytes(model.ends())


def _parked_layers(setting: Setting, layer_bytes: int) -> int:
    """As many as the host has memory for."""
    if setting.device.type == "cpu":
        return _QUICK_PARKED_LAYERS
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    free_bytes = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    return max(1, (free_bytes - _LEFT_ON_HOST_BYTES) // layer_bytes)


def _parameters(size: Size, found: Found) -> int:
    return num_parameters(architecture_of(Family.GPT2, found.num_layers, size.hidden, size.num_tokens))


def _row(size: Size, layer_bytes: int, found: Found) -> tuple[Cell, ...]:
    on_device = found.num_layers - found.num_parked
    buffers = _NUM_BUFFERS if found.num_parked else 0
    return (
        found.num_layers,
        on_device,
        found.num_parked,
        f"{_parameters(size, found) / 1e9:.4g} billion",
        f"{(on_device + buffers) * layer_bytes / 1e9:.4g} GB",
        found.pass_s,
        1e3 * found.pass_s / found.num_layers,
        size.num_tokens / found.pass_s,
    )

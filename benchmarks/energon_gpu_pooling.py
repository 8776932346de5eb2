"""Layers parked in pinned memory of the host: passes against the slower of computing and copying."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import torch

from benchmarks.energon_gpu_model import (
    DrawnWeights,
    Setting,
    architecture_of,
    give_memory_back,
    seconds,
    token_ids,
)
from benchmarks.energon_gpu_peer import offloaded_pass
from benchmarks.energon_gpu_report import Bar, Cell, Section
from benchmarks.energon_pooling_model import Model
from benchmarks.energon_pooling_rig import Passes, Rig, RigGarage, least
from workloads.energon.parking_plan import LayerTimes, parked_layers, plan_parking
from workloads.transformer.architecture import Family, TransformerArchitecture
from workloads.transformer.split import Span

OF_BOUND, OVER_PEER = 0.93, 1.0
DISTANCES = (0, 1, 2, 3)
_COLUMNS = ("tokens", "distance", "parked", "compute alone [s]", "copy alone [s]", "pass [s]",
            "of max(compute, copy)", "accelerate, same layers [s]", "over accelerate")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of a GPT-2 that is twice its budget, and of its batches."""

    num_layers: int
    hidden: int
    length: int
    """Tokens of each sequence."""
    batches: tuple[int, ...]
    """Sequences: few let the copies decide, many the products."""
    num_rounds: int
    num_passes: int


def pooling(setting: Setting) -> Section:
    """A table with a line for each batch and distance; the planned distance of each batch is judged."""
    size = _size(setting)
    architecture = architecture_of(Family.GPT2, size.num_layers, size.hidden, size.length)
    rows, bars = [], []
    for num_sequences in size.batches:
        found, judged = _batch(setting, architecture, size, num_sequences)
        rows += found
        bars += judged
        give_memory_back(setting.device)
    return Section(
        title="Parked layers",
        columns=_COLUMNS,
        rows=tuple(rows),
        remarks=(_remark(setting, size),),
        bars=tuple(bars),
    )


def _remark(setting: Setting, size: Size) -> str:
    where = "pinned memory of the host" if setting.device.type == "cuda" else "a file"
    return (
        f"{size.num_layers} layers of {size.hidden}, {setting.dtype}, half of the model in {where}; least of "
        f"{size.num_rounds} rounds, a pass out of {size.num_passes} with the first fill."
    )


def _size(setting: Setting) -> Size:
    if setting.is_quick:
        return Size(num_layers=12, hidden=128, length=16, batches=(1,), num_rounds=1, num_passes=2)
    return Size(num_layers=30, hidden=4096, length=2048, batches=(1, 16), num_rounds=5, num_passes=4)


def _batch(
    setting: Setting, architecture: TransformerArchitecture, size: Size, num_sequences: int
) -> tuple[list[tuple[Cell, ...]], list[Bar]]:
    ids = token_ids(num_sequences * size.length, architecture.vocab_size)
    weights = DrawnWeights(architecture, setting)
    rig = Rig(Model(architecture, weights, setting.device, ids, num_sequences), setting.folder)
    with contextlib.ExitStack() as stack:
        garages = [stack.enter_context(rig.garage(rig.model_bytes // 2, distance)) for distance in DISTANCES]
        num_differing = sum(not garage.is_exact() for garage in garages)
        rounds = [
            [garage.round(rig.model.forward, size.num_passes) for garage in garages]
            for _ in range(size.num_rounds)
        ]
    columns = [least(column) for column in zip(*rounds, strict=True)]
    planned = _planned(rig, garages, columns)
    parked = [garage.num_parked for garage in garages]
    del rig, garages
    give_memory_back(setting.device)
    peer_s = _peer_s(setting, architecture, torch.tensor(ids).view(num_sequences, -1), parked[planned])
    rows = [
        (len(ids), distance, number, *_cells(column, peer_s if distance == planned else ""))
        for distance, number, column in zip(DISTANCES, parked, columns, strict=True)
    ]
    name = f"{len(ids)} tokens"
    bars = [
        Bar(name=f"pooling, {name}, distances with other numbers than resident", value=num_differing, unit="",
            relation="<=", limit=0),
        Bar(name=f"pooling, {name}, distance {planned} (planned)", value=columns[planned].of_bound,
            unit="of max(compute, copy)", relation=">=", limit=OF_BOUND),
    ]  # fmt: skip
    if isinstance(peer_s, float):
        gain = peer_s / columns[planned].parked_s
        bars.append(
            Bar(name=f"pooling over accelerate, {name}", value=gain, unit="x", relation=">", limit=OVER_PEER)
        )
    return rows, bars


def _planned(rig: Rig, garages: Sequence[RigGarage], columns: Sequence[Passes]) -> int:
    """The distance that the engine would choose, from times of this run."""
    times = LayerTimes(
        compute_ns=min(column.compute_s for column in columns) * 1e9 / rig.bytes.num_layers,
        copy_ns=columns[1].copy_s * 1e9 / garages[1].num_parked,
    )
    return plan_parking(rig.model_bytes // 2, rig.bytes, times).distance


def _peer_s(
    setting: Setting, architecture: TransformerArchitecture, tokens: torch.Tensor, num_parked: int
) -> float | str:
    """Seconds of a pass in accelerate with as many layers elsewhere; without it, what is missing."""
    parked = parked_layers(Span(0, architecture.num_layers), num_parked)
    work = offloaded_pass(architecture, parked, tokens.to(setting.device), setting)
    if isinstance(work, str):
        return work
    with torch.inference_mode():
        return median([seconds(setting.device, work) for _ in range(4)][1:])


def _cells(column: Passes, peer_s: Cell) -> tuple[Cell, ...]:
    return (
        column.compute_s,
        column.copy_s,
        column.parked_s,
        f"{column.of_bound:.2f}",
        peer_s,
        peer_s / column.parked_s if isinstance(peer_s, float) else "",
    )

"""Which curves make up the ceilings of a placement, and how the time is shared out among them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from saih.domain.ceiling import TIME_KINDS, Ceiling, CeilingKind
from saih.machine import (
    arithmetic,
    collective,
    decode_rate,
    device_copy,
    jitter,
    launch_cost,
    memory_bandwidth,
    storage_read,
)
from saih.machine.mpi import MPI
from saih.machine.sampling import CurveName, Rung, Sample, rate_curve, time_curve

_ROUNDS = 3
_FIRST_WEIGHT, _OTHER_WEIGHT = 0.08, 0.02
_MOST_BYTES_OF_OTHERS = 2**24
Chosen = Callable[[CurveName, Sequence[Rung]], Sequence[Rung]]
"""Which of the rungs of a curve are measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Curves measured together: the weight of their budget, and in how many rounds they take part."""

    name: CurveName
    weight: float
    curves: Callable[[float], tuple[Ceiling, ...]]
    """Within a number of seconds."""
    num_rounds: int = _ROUNDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all curves of a placement are measured with, on one rank."""

    comm: MPI.Intracomm
    sample: Sample
    device: torch.device
    dtype: torch.dtype
    precision: str
    free_bytes: float
    path: Path | None
    """A file to read; None without room for it."""
    chosen: Chosen = lambda _name, rungs: rungs


def all_tasks(bench: Bench) -> tuple[Task, ...]:
    """Every curve; of several that differ in their variant, the first is the one that points meet."""
    return (*_arithmetic(bench), *_memory(bench), *_interconnect(bench), *_input(bench), *_host(bench))


def _arithmetic(bench: Bench) -> list[Task]:
    products = arithmetic.product_rungs(bench.device, bench.dtype)
    tasks = [_task(bench, 0.16, arithmetic.product_name(bench.precision), products)]
    weights = {CeilingKind.CONVOLUTION_FORWARD: 0.10, CeilingKind.CONVOLUTION_BACKWARD: 0.12}
    for kind in arithmetic.CONVOLUTIONS:
        rungs = arithmetic.convolution_rungs(kind, bench.device, bench.dtype, torch.get_num_threads())
        name = arithmetic.convolution_name(kind, bench.precision)
        tasks.append(_task(bench, weights.get(kind, 0.06), name, rungs))
    return tasks


def _memory(bench: Bench) -> list[Task]:
    tasks = [
        _task(
            bench,
            0.06 if kind is CeilingKind.MEMORY else _OTHER_WEIGHT,
            memory_bandwidth.memory_name(kind),
            memory_bandwidth.memory_rungs(kind, bench.device, bench.free_bytes),
        )
        for kind in memory_bandwidth.KINDS
    ]
    if bench.device.type != "cpu":
        for kind in device_copy.KINDS:
            for variant in (device_copy.PINNED, device_copy.PAGEABLE):
                rungs = device_copy.copy_rungs(kind, variant, bench.device)
                tasks.append(_task(bench, _OTHER_WEIGHT, device_copy.copy_name(kind, variant), rungs))
    return tasks


def _interconnect(bench: Bench) -> list[Task]:
    comm, size = bench.comm, bench.comm.size
    if size == 1:
        return []
    backend = "gloo" if bench.device.type == "cpu" else "nccl"
    tasks = []
    for kind in collective.KINDS:
        is_main = kind is CeilingKind.ALL_REDUCE
        most = 2**26 if is_main else _MOST_BYTES_OF_OTHERS
        own = collective.torch_rungs(kind, bench.device, size, comm.rank, most)
        weight = _FIRST_WEIGHT if is_main else _OTHER_WEIGHT
        tasks.append(_task(bench, weight, collective.collective_name(kind, backend), own))
        others = collective.mpi_rungs(kind, comm, most)
        tasks.append(_task(bench, _OTHER_WEIGHT, collective.collective_name(kind, "mpi"), others))
    return tasks


def _input(bench: Bench) -> list[Task]:
    tasks = []
    for kind, weight in ((storage_read.WARM, 0.01), (storage_read.COLD, 0.03)):
        for place, pattern in enumerate(storage_read.PATTERNS):
            rungs = storage_read.storage_rungs(kind, bench.path, pattern)
            share = weight if place == 0 else weight / 2
            tasks.append(_task(bench, share, storage_read.storage_name(kind, pattern), rungs))
    codecs = [
        _task(bench, _OTHER_WEIGHT, decode_rate.decode_name(codec), decode_rate.decode_rungs(codec))
        for codec in decode_rate.CODECS
    ]
    return tasks + codecs


def _host(bench: Bench) -> list[Task]:
    launch = _task(bench, 0.01, launch_cost.NAME, [launch_cost.launch_rung(bench.device)])
    # Always, for it tells who else is on the cores; once: the best of several rounds is the luckiest.
    curves = partial(jitter.jitter_curves, bench.comm)
    return [launch, Task(name=jitter.NAME, weight=0.05, curves=curves, num_rounds=1)]


def _task(bench: Bench, weight: float, name: CurveName, rungs: Sequence[Rung]) -> Task:
    make = time_curve if name.kind in TIME_KINDS else rate_curve
    chosen = bench.chosen(name, rungs)

    def curves(budget_s: float) -> tuple[Ceiling, ...]:
        found = make(name, chosen, bench.sample, budget_s) if chosen else None
        return () if found is None else (found,)

    return Task(name=name, weight=weight if chosen else 0.0, curves=curves)

"""Ceilings against independent programs: the same work on the same core, in turns, in one run.

Each row lets the probe of a ceiling and another program work in turns (ABAB) and gives the median of the
ratios of neighbouring turns with its 95 % interval; the bar asks for 0.9 to 1.1. Triads and copies are held
against likwid-bench (assembly), reads against fio, messages against the benchmark of mpi4py, products,
convolutions and launches against torch.utils.benchmark (the same library under another clock) and all-reduces
of GPUs against nccl-tests. What cannot be compared here is called absent, with the reason: that is no pass.

    python -m benchmarks.ceilings [--quick]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from mpi4py import MPI

from benchmarks import ceilings_tools as tools
from saih.domain.ceiling import CeilingKind
from saih.domain.interval import Interval, median_interval
from saih.domain.quantity import interval_with_si
from saih.launch.mpirun import find_launcher
from saih.machine import arithmetic, launch_cost, memory_bandwidth
from saih.machine.sampling import Probe, Rung
from saih.machine.stopwatch import Stopwatch
from saih.machine.storage_file import probe_file
from saih.machine.storage_read import COLD, WARM, Order, Pattern, storage_rungs

LOW, HIGH = 0.9, 1.1
ROUNDS, QUICK_ROUNDS = 21, 7
CPU = torch.device("cpu")
_TURN_S = 0.15
_MIB = 2**20
_TRIAD_BYTES = 3e9
"""Traffic of one turn of likwid-bench, so that a turn takes a tenth of a second or more."""
_MESSAGES = (2**10, 2**16, 2**20, 2**22)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One comparison: rates in ``unit`` at each turn. ``has_bar`` is False where the libraries differ."""

    name: str
    tool: str
    unit: str
    ours: Callable[[], float]
    theirs: Callable[[], float]
    has_bar: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What both gave, and the ratio of neighbours."""

    name: str
    tool: str
    unit: str
    ours: Interval
    theirs: Interval
    ratio: Interval
    has_bar: bool


def main(arguments: list[str]) -> int:
    """Print the table and the bars; 1 if a bar fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns")
    num_rounds = QUICK_ROUNDS if parser.parse_args(arguments).quick else ROUNDS
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    torch.set_num_threads(1)
    rows: list[Row] = []
    with (
        torch.no_grad(),
        tempfile.TemporaryDirectory(dir=Path.cwd()) as folder,
        probe_file(Path(folder), 1) as path,
    ):
        for pair in (*_memory(), *_arithmetic(), *_storage(path)):
            rows.append(_in_turns(pair, num_rounds))
            _print(rows[-1])
    os.sched_setaffinity(0, cores)
    for row in (*_messages(num_rounds), *_gpus(num_rounds)):
        rows.append(row)
        _print(row)
    for reason in _absent():
        print(f"absent: {reason}")
    met = [_bar(row) for row in rows if row.has_bar]
    return 0 if all(met) else 1


def _in_turns(pair: Pair, num_rounds: int) -> Row:
    pairs = [(pair.ours(), pair.theirs()) for _ in range(num_rounds)]
    return _row(pair.name, pair.tool, pair.unit, pairs, has_bar=pair.has_bar)


def _row(
    name: str, tool: str, unit: str, pairs: Sequence[tuple[float, float]], *, has_bar: bool = True
) -> Row:
    return Row(
        name=name,
        tool=tool,
        unit=unit,
        ours=median_interval([own for own, _ in pairs]),
        theirs=median_interval([other for _, other in pairs]),
        ratio=median_interval([own / other for own, other in pairs]),
        has_bar=has_bar,
    )


def _rate(rung: Rung, way: int = 0) -> float:
    """Work per second of one way, by the clock of the ceilings."""
    watch = Stopwatch(comm=MPI.COMM_SELF, synchronise=lambda: None)
    durations = watch(rung.ways[way], _TURN_S)
    if durations is None:
        raise OSError(f"a probe could not run: {watch.refusals[-1]}")
    return rung.work / median_interval([ranks[0] for ranks in durations]).value


def _memory() -> Iterator[Pair]:
    if tools.missing(tools.LIKWID):
        return
    for kind, name in ((CeilingKind.MEMORY, "stream_sp_"), (CeilingKind.MEMORY_COPY, "copy_")):
        kernel = f"{name}{tools.widest_registers()}"  # torch takes the widest, too
        for rung in memory_bandwidth.memory_rungs(kind, CPU, 4 * 200.0 * _MIB):
            if rung.size >= 10 * _MIB:  # smaller ones are over before likwid's threads have met
                yield Pair(
                    name=f"{kind} {rung.size / _MIB:.0f} MiB",
                    tool=f"{tools.LIKWID} {kernel}",
                    unit="B/s",
                    ours=partial(_rate, rung),
                    theirs=partial(
                        tools.likwid_bytes_per_s, kernel, rung.size, max(4, int(_TRIAD_BYTES / rung.size))
                    ),
                )


def _arithmetic() -> Iterator[Pair]:
    products = {rung.size: rung for rung in arithmetic.product_rungs(CPU, torch.float32)}
    for side in (512, 1024):
        yield _timed(f"gemm {side}", products[side])
    other = tools.numpy_product(1024)
    yield Pair(
        name="gemm 1024",
        tool="numpy's BLAS (another library)",
        unit="FLOP/s",
        ours=partial(_rate, products[1024]),
        theirs=lambda: products[1024].work / tools.torch_seconds(other, 1),
        has_bar=False,
    )
    for kind in arithmetic.CONVOLUTIONS:
        rungs = arithmetic.convolution_rungs(kind, CPU, torch.float32, 1)
        yield _timed(f"{kind} 32 channels", next(rung for rung in rungs if rung.size == 32))
    yield _timed("launch", launch_cost.launch_rung(CPU), unit="1/s")


def _timed(name: str, rung: Rung, unit: str = "FLOP/s") -> Pair:
    probe: Probe = rung.ways[0]()
    return Pair(
        name=name,
        tool="torch.utils.benchmark",
        unit=unit,
        ours=partial(_rate, rung),
        theirs=lambda: rung.work / tools.torch_seconds(probe.call, 1),
    )


def _storage(path: Path | None) -> Iterator[Pair]:
    if path is None or tools.missing(tools.FIO):
        return
    orders: tuple[Order, ...] = ("random", "sequential")
    for order in orders:
        # Opening the file for every piece, as loaders do, is no part of what fio times: large pieces only.
        for rung in storage_rungs(COLD, path, Pattern(order=order))[1:]:
            yield _read(rung, path, order, is_direct=True)
        yield _read(storage_rungs(WARM, path, Pattern(order=order))[-1], path, order, is_direct=False)


def _read(rung: Rung, path: Path, order: Order, *, is_direct: bool) -> Pair:
    return Pair(
        name=f"storage {'cold' if is_direct else 'warm'} {order} {rung.size / 1024:.0f} KiB",
        tool=tools.FIO,
        unit="B/s",
        ours=partial(_rate, rung),
        theirs=partial(tools.fio_bytes_per_s, path, int(rung.size), is_direct=is_direct, order=order),
    )


def _messages(num_rounds: int) -> Iterator[Row]:
    words = ["mpi", ",".join(map(str, _MESSAGES)), str(num_rounds)]
    found = _ranks("benchmarks.ceilings_worker", words)
    for size in _MESSAGES:
        pairs = [
            (size / own, size / other)
            for own, other in zip(found["ours"][str(size)], found["theirs"][str(size)], strict=True)
        ]
        yield _row(f"send (mpi) {size / 1024:.0f} KiB", "mpi4py.bench pingpong", "B/s", pairs)


def _ranks(module: str, words: Sequence[str], num_ranks: int = 2) -> dict[str, dict[str, list[float]]]:
    launcher = find_launcher()
    command = [
        str(launcher.path), "-n", str(num_ranks), "--oversubscribe",
        sys.executable, "-m", "mpi4py", "-m", module, *words,
    ]  # fmt: skip
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env={**os.environ, **allowed}, capture_output=True, text=True, check=True, timeout=600
    )
    found: dict[str, dict[str, list[float]]] = json.loads(done.stdout.splitlines()[-1])
    return found


def _gpus(num_rounds: int) -> Iterator[Row]:
    """All-reduces of all GPUs, where there are several and nccl-tests are built."""
    if tools.num_gpus() < 2 or tools.missing(tools.NCCL):
        return
    size = 2**24
    words = ["nccl", str(size), str(num_rounds)]
    found = _ranks("benchmarks.ceilings_worker", words, tools.num_gpus())
    pairs = [
        (size / own, size / tools.nccl_seconds(size, tools.num_gpus())) for own in found["ours"][str(size)]
    ]
    yield _row(f"all_reduce (nccl) {size // _MIB} MiB", "nccl-tests", "B/s", pairs)


def _absent() -> Iterator[str]:
    """What no independent program was held against, and why."""
    for program, what in ((tools.LIKWID, "memory"), (tools.FIO, "storage")):
        if reason := tools.missing(program):
            yield f"{what}: {reason}"
    yield "STREAM: not packaged by Debian; likwid-bench has its triad and its copy"
    yield "collectives of MPI against OSU: not packaged by Debian; its messages are held against mpi4py.bench"
    yield "collectives of gloo: no independent program times them"
    if tools.num_gpus() < 2:
        yield f"all_reduce (nccl) against nccl-tests: torch sees {tools.num_gpus()} GPUs"
    elif reason := tools.missing(tools.NCCL):
        yield f"all_reduce (nccl): {reason}"
    if tools.num_gpus() == 0:
        yield "copies between host and device: torch sees no GPU"
    yield "decode, jitter: no independent program does the same work"


def _print(row: Row) -> None:
    own, other = (interval_with_si(one, row.unit) for one in (row.ours, row.theirs))
    ratio = f"{row.ratio.value:.3f} [{row.ratio.low:.3f}, {row.ratio.high:.3f}]"
    print(f"{row.name:38} {own:34} {other:34} {ratio:24} n={row.ratio.count:<3} {row.tool}", flush=True)


def _bar(row: Row) -> bool:
    is_met = LOW <= row.ratio.value <= HIGH
    name, verdict = row.name.replace(" ", "-"), "PASS" if is_met else "FAIL"
    print(f"BAR {name}: {row.ratio.value:.3f} of {row.tool} (bar {LOW} to {HIGH}) {verdict}")
    return is_met


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

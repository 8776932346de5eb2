"""Samples that ranks share: memory of a rank, what it sends, how long a step takes, and whether it is right.

Ranks are processes of one thread on this machine, joined by gloo; each holds a slab of the sample. Memory is
the peak of all tensors that torch makes in a step, less the gradients of weights, which every rank has whole:
what the network holds of samples. Bytes are counted as they are sent. Steps average gradients by
DistributedDataParallel. Deviations are the largest of outputs, loss and gradients from those of one rank that
has all, in float64.

    python -m benchmarks.training_spatial [--quick]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torch.profiler import ProfilerActivity, profile

from benchmarks.bars import judge
from benchmarks.forked_ranks import on_ranks
from cosmology.architecture import Architecture, Checkpointing, Normalisation, Recipe, num_stages
from cosmology.division import SampleDivision
from cosmology.network import Network, build
from cosmology.slabs.crew import Crew
from cosmology.spatial.dividing import divide
from cosmology.spatial.traffic import Traffic
from saih.domain.interval import Interval, median, median_interval
from workloads.cosmoflow.exchanges import step_exchanges
from workloads.cosmoflow.memory import FLOAT_BYTES, StepMemory
from workloads.precision import Precision

SIZES = (1, 2, 4)
RESOLUTION, QUICK_RESOLUTION = 128, 64
WIDTH = 16
BATCH = 2
"""With one sample torch leaves oneDNN for small convolutions, which then take many times the memory."""
STEPS, QUICK_STEPS = 4, 6
TURNS, QUICK_TURNS = 5, 3
LEAST_SPEED_UP = 1.5
MOST_MEMORY = 1.15
_NUM_BATCHES = 2
"""On a device: in work, and ahead."""
_STATES_BYTES = 3 * FLOAT_BYTES
"""Of each parameter: weight, gradient and momentum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What one rank says of its steps."""

    step_s: float
    wait_s: float
    """Of a step, in which the rank waited for planes of others."""
    sent_bytes: float
    """To other ranks in the middle of a step; gradients are not in it."""


def main(arguments: Sequence[str]) -> int:
    """Print the tables and the bars; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smaller sample, fewer turns")
    is_quick = parser.parse_args(arguments).quick
    architecture = _member(QUICK_RESOLUTION if is_quick else RESOLUTION)
    num_steps = QUICK_STEPS if is_quick else STEPS
    with tempfile.TemporaryDirectory(prefix="saih-spatial-") as name:
        folder = Path(name)
        turns = [
            {
                size: on_ranks(size, folder / f"{turn}-{size}", trained, architecture, num_steps)
                for size in SIZES
            }
            for turn in range(QUICK_TURNS if is_quick else TURNS)
        ]
        peaks = {
            size: max(on_ranks(size, folder / f"peak-{size}", peak_bytes, architecture)) for size in SIZES
        }
        exact = {size: on_ranks(size, folder / f"exact-{size}", deviation) for size in SIZES[1:]}
    _print_table(architecture, turns, peaks)
    return 0 if all((*_memory_bars(architecture, peaks), *_bars(architecture, turns, exact))) else 1


Turn = dict[int, list[Trained]]
"""What the ranks say, for each number of them."""


def trained(crew: Crew, architecture: Architecture, num_steps: int) -> Trained:
    """Steps on this rank's slab; the first, in which libraries make what they keep, is not timed."""
    traffic, watch = Traffic(), _Watch()
    model: nn.Module = _network(architecture, crew, traffic)
    if crew.num_ranks > 1:
        model = DistributedDataParallel(model, process_group=crew.group, gradient_as_bucket_view=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    grids, targets = _slab(architecture, crew, torch.float32), torch.rand((BATCH, 4))
    durations_s = []
    for step in range(num_steps + 1):
        if step == 1:
            traffic.num_bytes = 0
            traffic.listen(watch.begin, watch.end)
        dist.barrier(crew.group)
        begin_s = time.perf_counter()
        functional.mse_loss(model(grids), targets).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        durations_s.append(time.perf_counter() - begin_s)
    return Trained(
        step_s=median(durations_s[1:]),
        wait_s=watch.total_s / num_steps,
        sent_bytes=traffic.num_bytes / num_steps,
    )


def peak_bytes(crew: Crew, architecture: Architecture) -> int:
    """Most that tensors of one forward and backward pass take at a time, besides weights and the batch."""
    network = _network(architecture, crew, Traffic())
    grids, targets = _slab(architecture, crew, torch.float32), torch.rand((BATCH, 4))
    recorder = profile(activities=[ProfilerActivity.CPU], profile_memory=True)
    for watching in (nullcontext(), recorder):
        with watching:
            functional.mse_loss(network(grids), targets).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        network.zero_grad(set_to_none=True)
    finished: Any = recorder.profiler  # Any: torch types its results only in part
    events = finished.kineto_results.events()
    changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    return max(accumulate(num_bytes for _, num_bytes in changes))


def deviation(crew: Crew) -> float:
    """The largest from one device in float64, of networks with and without all that ranks must agree on."""
    plain = replace(_member(32), stage_channels=(4, 8, 16))
    deep = replace(plain, residuals_per_stage=2, normalisation=Normalisation.GROUP)
    members = (plain, deep, replace(deep, checkpointing=Checkpointing.STAGES))
    return max(_deviation(crew, member) for member in members)


def _deviation(crew: Crew, architecture: Architecture) -> float:
    alone = _network(architecture, None, Traffic()).double()
    divided = _network(architecture, crew, Traffic()).double()
    targets = torch.full((BATCH, 4), 0.3, dtype=torch.float64)
    found = []
    for model, grids in (
        (alone, _slab(architecture, None, torch.float64)),
        (divided, _slab(architecture, crew, torch.float64)),
    ):
        outputs = model(grids)
        loss = functional.mse_loss(outputs, targets)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        found.append([outputs.detach(), loss.detach(), *_gradients(model)])
    for gradient in found[1][2:]:
        dist.all_reduce(gradient, group=crew.group)
        gradient.div_(crew.num_ranks)
    return max(float((one - own).abs().max() / one.abs().max()) for one, own in zip(*found, strict=True))


def _gradients(model: nn.Module) -> list[Tensor]:
    return [parameter.grad.contiguous() for parameter in model.parameters() if parameter.grad is not None]


def _member(resolution: int) -> Architecture:
    channels = tuple(WIDTH * 2**stage for stage in range(num_stages(resolution)))
    return Architecture(resolution=resolution, channels=4, stage_channels=channels)


def _network(architecture: Architecture, crew: Crew | None, traffic: Traffic) -> Network:
    network = build(architecture, seed=1, recipe=Recipe.REFERENCE)
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # torch's stub leaves it out
    if crew is not None:
        divide(network, architecture, crew, traffic)
    return network


def _slab(architecture: Architecture, crew: Crew | None, dtype: torch.dtype) -> Tensor:
    """This rank's planes of grids that all ranks know; all of them without a crew."""
    side = architecture.resolution
    rank, num_ranks = (0, 1) if crew is None else (crew.rank, crew.num_ranks)
    each = side // num_ranks
    planes = [
        torch.randn(
            (BATCH, architecture.channels, side, side), generator=torch.Generator().manual_seed(plane)
        )
        for plane in range(rank * each, (rank + 1) * each)
    ]
    return torch.stack(planes, dim=2).to(dtype, memory_format=torch.channels_last_3d)


class _Watch:
    """How long waits take together."""

    def __init__(self) -> None:
        self.total_s = 0.0
        self._begin_s = 0.0

    def begin(self) -> None:
        """One begins."""
        self._begin_s = time.perf_counter()

    def end(self) -> None:
        """It ends."""
        self.total_s += time.perf_counter() - self._begin_s


def _print_table(architecture: Architecture, turns: list[Turn], peaks: dict[int, int]) -> None:
    print(
        f"{architecture.resolution}^3 x {architecture.channels}, width {WIDTH}, batch {BATCH}, float32, one "
        f"thread a rank, {len(turns)} turns; {architecture.num_parameters / 1e6:.1f} M parameters"
    )
    print(
        f"{'ranks':>5}{'ms a step':>11}{'speed-up':>22}{'waiting ms':>12}{'MB a rank':>11}"
        f"{'formula':>9}{'kB sent':>9}{'formula':>9}"
    )
    for size in SIZES:
        speed = _speed_up(turns, size)
        seconds = median([max(rank.step_s for rank in turn[size]) for turn in turns])
        wait_s = median([max(rank.wait_s for rank in turn[size]) for turn in turns])
        held_bytes, held_formula_bytes = (
            _sample_bytes(architecture, peaks, size),
            _formula_bytes(architecture, size),
        )
        print(
            f"{size:5d}{1e3 * seconds:11.1f}{_words(speed):>22}{1e3 * wait_s:12.1f}{held_bytes / 1e6:11.1f}"
            f"{held_formula_bytes / 1e6:9.1f}{_sent_bytes(turns, size) / 1e3:9.0f}"
            f"{_due_bytes(architecture, size) / 1e3:9.0f}"
        )


def _memory_bars(architecture: Architecture, peaks: dict[int, int]) -> list[bool]:
    one = _sample_bytes(architecture, peaks, 1)
    return [
        judge(
            f"memory of a rank of {size} over 1/{size} of one's",
            size * _sample_bytes(architecture, peaks, size) / one,
            "x",
            "<=",
            MOST_MEMORY,
        )
        for size in SIZES[1:]
    ]


def _bars(architecture: Architecture, turns: list[Turn], exact: dict[int, list[Any]]) -> list[bool]:
    off_bytes = max(
        abs(_sent_bytes(turns, size) / _due_bytes(architecture, size) - 1) for size in SIZES if size > 1
    )
    found = [
        judge(f"deviation of {size} ranks from one, x 1e-10", _worst(ranks) / 1e-10, "", "<=", 1)
        for size, ranks in exact.items()
    ]
    return [
        *found,
        judge("bytes sent off the formula", 100 * off_bytes, "%", "<=", 0.1),
        judge(
            "speed-up of 2 ranks of one thread on one sample",
            _speed_up(turns, 2).value,
            "x",
            ">=",
            LEAST_SPEED_UP,
        ),
    ]


def _worst(ranks: list[Any]) -> float:
    """The largest deviation; no number where a rank raised."""
    return max(ranks) if all(isinstance(one, float) for one in ranks) else float("nan")


def _speed_up(turns: list[Turn], size: int) -> Interval:
    return median_interval(
        [max(one.step_s for one in turn[1]) / max(one.step_s for one in turn[size]) for turn in turns]
    )


def _sample_bytes(architecture: Architecture, peaks: dict[int, int], size: int) -> float:
    """The peak without what every rank has whole."""
    return peaks[size] - FLOAT_BYTES * architecture.num_parameters


def _formula_bytes(architecture: Architecture, size: int) -> float:
    """As planning says it, less the same, and less batches in work and ahead, which are made before."""
    division = SampleDivision(architecture=architecture, num_ranks=size)
    memory = StepMemory(division=division, batch=BATCH, precision=Precision.FLOAT32)
    batch_bytes = FLOAT_BYTES * BATCH * architecture.channels * architecture.resolution**3 // size
    states_bytes = _STATES_BYTES * architecture.num_parameters
    return memory.peak_bytes - memory.host_bytes - _NUM_BATCHES * batch_bytes - states_bytes


def _sent_bytes(turns: list[Turn], size: int) -> float:
    """Of the mean rank."""
    return sum(rank.sent_bytes for rank in turns[0][size]) / size


def _due_bytes(architecture: Architecture, size: int) -> int:
    division = SampleDivision(architecture=architecture, num_ranks=size)
    return step_exchanges(division, BATCH, Precision.FLOAT32).num_bytes


def _words(interval: Interval) -> str:
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Own kernels against torch's: operation by operation against what memory allows, and in the whole step.

``python -m benchmarks.training --part kernels [--quick]``. Both forms take turns in one process, with
channels last, in the environment of a rank; ratios are medians of pairs with their 95 % intervals, of wall
time and of processor time, which other programs on the machine blur less. An operation's floor is the time in
which a copy moves as many bytes as the operation must read and write; convolutions have none. The whole step
is forward, loss, backward and optimizer on a batch in memory; its share "of convolutions" is what torch's
convolutions of the same shapes take by themselves, each in its faster layout, over the step with own kernels.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.bars import judge
from benchmarks.convolution_list import Timer, best_of, works_of
from cosmology import network
from cosmology.architecture import NEGATIVE_SLOPE, Architecture, Convolution, Recipe, num_stages
from cosmology.kernels import building, pooling
from cosmology.kernels.pooled_convolution import pooled_convolution
from cosmology.network import Kernels
from saih.domain.interval import Interval, median, median_interval
from saih.domain.point import Placement
from saih.launch.starter import rank_environment

CHANNELS, SAMPLES_PER_STEP = 4, 4
MEMBERS = ((32, 32), (64, 32), (64, 64), (128, 32))
"""Resolution [voxels] and width of the members whose whole step is timed."""
QUICK_MEMBERS = ((32, 32), (64, 32))
OPERATIONS_AT, QUICK_OPERATIONS_AT = (64, 32), (32, 32)
FORMATS = (torch.float32, torch.bfloat16)
PAIRS, QUICK_PAIRS = 21, 9
COPY_BYTES = 2**28
LAYOUT = torch.channels_last_3d
BARRED = (64, 32)
LEAST_STEP_RATIO = {torch.float32: 1.0, torch.bfloat16: 1.5}
"""Torch's step over the own one at ``BARRED``."""
LEAST_CONVOLUTION_SHARE, BARRED_WIDTH = 0.7, 64
"""Of the time of torch's convolutions alone in the own step, from which width on in bfloat16."""
LEAST_RATIO = 1.0
"""Of any member: own kernels never lose."""
Work = Callable[[], object]
_HEAD = f"{'torch [ms]':>10} {'own [ms]':>10} {'torch / own':>18} {'in processor time':>22}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation in both forms, and the bytes that any form must move (0: a convolution is in it)."""

    name: str
    torch: Work
    own: Work
    least_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Median durations of both forms, and the interval of torch's over the own one's."""

    own_s: float
    torch_s: float
    ratio: Interval
    processor_ratio: Interval

    @property
    def words(self) -> str:
        """The columns of a row."""
        ratios = f"{_words(self.ratio):>18} {_words(self.processor_ratio):>22}"
        return f"{self.torch_s * 1e3:>10.2f} {self.own_s * 1e3:>10.2f} {ratios}"


def main(arguments: Sequence[str]) -> int:
    """Print the tables and the bars; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer pairs")
    options = parser.parse_args(arguments)
    environment = rank_environment(os.environ, Placement(threads_per_rank=len(os.sched_getaffinity(0))))
    if environment != dict(os.environ):  # the allocator reads it once, so another process begins with it
        command = [sys.executable, "-m", "benchmarks.training_kernels", *arguments]
        return subprocess.run(command, env=environment, check=False).returncode
    building.library()
    num_pairs = QUICK_PAIRS if options.quick else PAIRS
    for dtype in FORMATS:
        operations_table(*(QUICK_OPERATIONS_AT if options.quick else OPERATIONS_AT), dtype, num_pairs)
    members = QUICK_MEMBERS if options.quick else MEMBERS
    print(f"\nwhole steps of {SAMPLES_PER_STEP} samples; medians of {num_pairs} pairs with 95 % intervals")
    print(f"{'member':<18} {'format':<9} {_HEAD} {'of convolutions':>16}")
    met = [step_row(*member, dtype, num_pairs) for member in members for dtype in FORMATS]
    return 0 if all(met) else 1


def operations_table(resolution: int, width: int, dtype: torch.dtype, num_pairs: int) -> None:
    """Print how both forms of each operation do."""
    copied = copy_rate()
    print(f"\n{resolution}^3, width {width}, {dtype}; a copy moves {copied / 1e9:.1f} GB/s")
    print(f"{'operation':<34} {_HEAD} {'floor / own':>12}")
    for operation in _operations(_architecture(resolution, width), dtype):
        found = paired(operation.own, operation.torch, num_pairs)
        floor = f"{operation.least_bytes / copied / found.own_s:.2f}" if operation.least_bytes else "-"
        print(f"{operation.name:<34} {found.words} {floor:>12}", flush=True)


def step_row(resolution: int, width: int, dtype: torch.dtype, num_pairs: int) -> bool:
    """Print one member's row and bars; whether these are met."""
    architecture = _architecture(resolution, width)
    steps = {kernels: Step(architecture, kernels, dtype) for kernels in ("own", "torch")}
    found = paired(steps["own"], steps["torch"], num_pairs)
    works = works_of(architecture, SAMPLES_PER_STEP)
    timer = Timer(works, dtype, torch.device("cpu"))
    bare = sum(best.duration_s for best in best_of(works, [timer.turn() for _ in range(3)]))
    name = f"{resolution}^3, width {width}"
    word = str(dtype).removeprefix("torch.")
    print(f"{name:<18} {word:<9} {found.words} {bare / found.own_s:>16.2f}", flush=True)
    is_barred = (resolution, width) == BARRED
    least = LEAST_STEP_RATIO[dtype] if is_barred else LEAST_RATIO
    is_met = judge(f"step of torch's kernels over own, {name}, {word}", found.ratio.value, "", ">=", least)
    if width < BARRED_WIDTH or dtype is not torch.bfloat16:
        return is_met
    share = bare / found.own_s
    return judge(f"convolutions over own step, {name}", share, "", ">=", LEAST_CONVOLUTION_SHARE) and is_met


class Step:
    """Training on one batch in memory with one kind of kernels."""

    def __init__(self, architecture: Architecture, kernels: Kernels, dtype: torch.dtype) -> None:
        self._model = network.build(architecture, seed=1, recipe=Recipe.SCALED, kernels=kernels)
        self._model.to(memory_format=LAYOUT)  # type: ignore[call-overload]  # torch's stub leaves it out
        self._optimizer = torch.optim.SGD(self._model.parameters(), lr=0.001, momentum=0.9, foreach=True)
        self._dtype = dtype
        shape = (SAMPLES_PER_STEP, architecture.channels, *[architecture.resolution] * 3)
        self._grids = _noise(shape, torch.float32)
        self._targets = torch.rand(SAMPLES_PER_STEP, 4)

    def __call__(self) -> None:
        """One descent."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self._dtype is torch.bfloat16):
            predicted = self._model(self._grids)
        functional.mse_loss(predicted.float(), self._targets).backward()  # type: ignore[no-untyped-call]  # untyped in torch
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)


def _operations(architecture: Architecture, dtype: torch.dtype) -> Iterator[Operation]:
    first, *_ = architecture.convolutions
    yield from _first_stage(first, dtype)
    for layer in architecture.convolutions:
        yield from _pooling(layer, dtype)


def _pooling(layer: Convolution, dtype: torch.dtype) -> Iterator[Operation]:
    x = _noise((SAMPLES_PER_STEP, layer.out_channels, *[layer.side] * 3), dtype)
    values = x.numel() * x.element_size()
    name = f"{layer.out_channels} channels at {layer.side}^3"
    forms = (_plain_pooling, partial(pooling.pooled_activation, slope=NEGATIVE_SLOPE))
    forwards = [partial(form, x) for form in forms]
    yield Operation(
        name=f"pooling, {name}",
        torch=forwards[0],
        own=forwards[1],
        least_bytes=values + values // 8 + x.numel() // 8,
    )
    backwards = [_backward(form, (x.detach().requires_grad_(),)) for form in forms]
    yield Operation(
        name=f"its gradient, {name}",
        torch=backwards[0],
        own=backwards[1],
        least_bytes=values + 2 * values // 8 + x.numel() // 8,
    )


def _first_stage(layer: Convolution, dtype: torch.dtype) -> Iterator[Operation]:
    x = _noise((SAMPLES_PER_STEP, layer.in_channels, *[layer.side] * 3), dtype)
    weight = _noise((layer.out_channels, layer.in_channels, 3, 3, 3), torch.float32).requires_grad_()
    bias = torch.zeros(layer.out_channels, requires_grad=True)

    def plain(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return _plain_pooling(functional.conv3d(x, weight.to(dtype), bias.to(dtype), padding=1))

    def own(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
            return pooled_convolution(x, weight, bias, NEGATIVE_SLOPE)

    name = f"{layer.in_channels} to {layer.out_channels} channels"
    given = (x, weight, bias)
    yield Operation(
        name=f"first stage, {name}", torch=lambda: plain(*given), own=lambda: own(*given), least_bytes=0
    )
    yield Operation(
        name=f"its gradient, {name}",
        torch=_backward(plain, given, (weight, bias)),
        own=_backward(own, given, (weight, bias)),
        least_bytes=0,
    )


def _backward(
    form: Callable[..., Tensor], given: tuple[Tensor, ...], wanted: tuple[Tensor, ...] = ()
) -> Work:
    result = form(*given)
    upstream = torch.rand_like(result)
    return partial(torch.autograd.grad, result, wanted or given, upstream, retain_graph=True)


def _plain_pooling(x: Tensor) -> Tensor:
    # A copy of x would be slower than working in place, which is what the network does.
    activated = functional.leaky_relu_(x, NEGATIVE_SLOPE) if not x.is_leaf else _activated_leaf(x)
    return functional.max_pool3d_with_indices(activated, (2, 2, 2))[0]


def _activated_leaf(x: Tensor) -> Tensor:
    if not x.requires_grad:
        return functional.leaky_relu_(x, NEGATIVE_SLOPE)
    return functional.leaky_relu(x, NEGATIVE_SLOPE)


def paired(own: Work, other: Work, num_pairs: int) -> Found:
    """Both in turns, the order alternating."""
    own(), other()
    pairs = []
    for turn in range(num_pairs):
        if turn % 2:
            theirs, ours = _spent(other), _spent(own)
        else:
            ours, theirs = _spent(own), _spent(other)
        pairs.append((ours, theirs))
    return Found(
        own_s=median([ours[0] for ours, _ in pairs]),
        torch_s=median([theirs[0] for _, theirs in pairs]),
        ratio=median_interval([theirs[0] / ours[0] for ours, theirs in pairs]),
        processor_ratio=median_interval([theirs[1] / ours[1] for ours, theirs in pairs]),
    )


def copy_rate() -> float:
    """Bytes read and written by a copy [1/s], the best of some."""
    source, target = torch.zeros(COPY_BYTES, dtype=torch.uint8), torch.zeros(COPY_BYTES, dtype=torch.uint8)
    return 2 * COPY_BYTES / min(_spent(partial(target.copy_, source))[0] for _ in range(5))


def _architecture(resolution: int, width: int) -> Architecture:
    stages = tuple(width * 2**stage for stage in range(num_stages(resolution)))
    return Architecture(resolution=resolution, channels=CHANNELS, stage_channels=stages)


def _noise(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.randn(shape).to(dtype).contiguous(memory_format=LAYOUT)


def _spent(work: Work) -> tuple[float, float]:
    """Seconds of wall time and of processor time of all threads."""
    begin_s, processor_begin_s = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begin_s, time.process_time() - processor_begin_s


def _words(ratio: Interval) -> str:
    return f"{ratio.value:.2f} ({ratio.low:.2f}-{ratio.high:.2f})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The convolutions of a network by themselves: the best that torch does on each layer's own shape.

Each direction (forward, gradient by the weights, gradient by the input) of each layer is timed with both
orders of memory, and the faster one counts. Nothing else is in it: no activation, no pooling, no change of
layout between layers. The first layer has no gradient by its input, as in training.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from cosmology.architecture import KERNEL_SIDE, Architecture, Convolution
from saih.domain.interval import median

LAYOUTS = {"channels_first": torch.contiguous_format, "channels_last": torch.channels_last_3d}
DIRECTIONS = ("forward", "by weights", "by input")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One direction of one layer in one layout."""

    layer: Convolution
    direction: str
    layout: str
    batch: int

    @property
    def flops(self) -> float:
        """Of one call: a multiply-add counted as 2, borders in full."""
        return 2.0 * self.layer.num_weights * self.layer.side**3 * self.batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """One direction of one layer in its faster layout."""

    work: Work
    duration_s: float


def works_of(architecture: Architecture, batch: int) -> tuple[Work, ...]:
    """Everything that is timed, in one order."""
    return tuple(
        Work(layer=layer, direction=direction, layout=layout, batch=batch)
        for place, layer in enumerate(architecture.convolutions)
        for direction in DIRECTIONS
        if place or direction != "by input"
        for layout in LAYOUTS
    )


def best_of(works: Sequence[Work], turns: Sequence[Sequence[float]]) -> tuple[Best, ...]:
    """The faster layout of each direction of each layer, by medians over turns [turn][work] in seconds."""
    medians = [median([turn[place] for turn in turns]) for place in range(len(works))]
    found = [Best(work=work, duration_s=seconds) for work, seconds in zip(works, medians, strict=True)]
    pairs = zip(found[::2], found[1::2], strict=True)
    return tuple(min(pair, key=lambda one: one.duration_s) for pair in pairs)


def ceiling_flops_per_s(best: Sequence[Best]) -> float:
    """The rate of the whole list, one after the other."""
    return sum(one.work.flops for one in best) / sum(one.duration_s for one in best)


class Timer:
    """Times every work once a turn; each has tensors of its own, which stay."""

    def __init__(self, works: Sequence[Work], dtype: torch.dtype, device: torch.device) -> None:
        self._device = device
        self._calls = [_call(work, dtype, device) for work in works]
        self.turn()  # the first call chooses and prepares

    def turn(self) -> list[float]:
        """Seconds of each call."""
        return [self._seconds(call) for call in self._calls]

    def _seconds(self, call: Callable[[], object]) -> float:
        self._wait()
        begin_s = time.perf_counter()
        call()
        self._wait()
        return time.perf_counter() - begin_s

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def _call(work: Work, dtype: torch.dtype, device: torch.device) -> Callable[[], object]:
    layer, cube = work.layer, [work.layer.side] * 3
    noise = partial(_noise, dtype=dtype, device=device, layout=work.layout)
    x = noise((work.batch, layer.in_channels, *cube))
    weight = noise((layer.out_channels, layer.in_channels, *[KERNEL_SIDE] * 3))
    if work.direction == "forward":
        return partial(functional.conv3d, x, weight, padding=1)
    gradient = noise((work.batch, layer.out_channels, *cube))
    ones, zeros = [1, 1, 1], [0, 0, 0]
    wanted = [work.direction == "by input", work.direction == "by weights", False]
    return partial(
        torch.ops.aten.convolution_backward,
        *(gradient, x, weight, None, ones, ones, ones, False, zeros, 1, wanted),
    )


def _noise(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device, layout: str) -> Tensor:
    # Zeros and denormals are not like real work.
    values = torch.rand(shape, device=device).sub_(0.5).to(dtype)
    return values.contiguous(memory_format=LAYOUTS[layout])

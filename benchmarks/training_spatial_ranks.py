"""What ranks do that share samples: they train on slabs, and compare with one that has whole samples."""

import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torch.profiler import ProfilerActivity, profile

from cosmology.architecture import Architecture, Checkpointing, Normalisation, Recipe, num_stages
from cosmology.network import Network, build
from cosmology.slabs.crew import Crew
from cosmology.spatial.dividing import divide
from cosmology.spatial.traffic import Traffic
from saih.domain.interval import median

WIDTH = 16
BATCH = 2
"""With one sample torch leaves oneDNN for small convolutions, which then take many times the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What one rank says of its steps."""

    step_s: float
    work_s: float
    """Of a step, on processors: of the rank and of the threads that carry its messages."""
    wait_s: float
    """Of a step, in which the rank waited for planes of others."""
    sent_bytes: float
    """To other ranks in the middle of a step; gradients are not in it."""


def trained(crew: Crew, architecture: Architecture, num_steps: int) -> Trained:
    """Steps on this rank's slab; the first, in which libraries make what they keep, is not timed."""
    traffic, watch = Traffic(), _Watch()
    model: nn.Module = _network(architecture, crew, traffic)
    if crew.num_ranks > 1:
        model = DistributedDataParallel(model, process_group=crew.group, gradient_as_bucket_view=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    grids, targets = _slab(architecture, crew, torch.float32), torch.rand((BATCH, 4))
    durations_s, works_s = [], []
    for step in range(num_steps + 1):
        if step == 1:
            traffic.num_bytes = 0
            traffic.listen(watch.begin, watch.end)
        dist.barrier(crew.group)
        begin_s, begin_work_s = time.perf_counter(), time.process_time()
        functional.mse_loss(model(grids), targets).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        durations_s.append(time.perf_counter() - begin_s)
        works_s.append(time.process_time() - begin_work_s)
    return Trained(
        step_s=median(durations_s[1:]),
        work_s=median(works_s[1:]),
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
    plain = replace(member(32), stage_channels=(4, 8, 16))
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


def member(resolution: int) -> Architecture:
    """The network that is trained on grids of this side [voxels]."""
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

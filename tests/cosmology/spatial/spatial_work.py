"""What ranks do in tests of shared samples: the whole grid on one device, and slabs of it on all of them."""

from dataclasses import dataclass, replace

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from cosmology.architecture import Architecture, Checkpointing, Normalisation, Recipe
from cosmology.network import Kernels, Network, build
from cosmology.slabs.crew import Crew
from cosmology.spatial.dividing import divide
from cosmology.spatial.traffic import Traffic

PLAIN = Architecture(resolution=16, channels=3, stage_channels=(4, 8))
DEEP = replace(PLAIN, residuals_per_stage=2, normalisation=Normalisation.GROUP)
AGAIN = replace(DEEP, checkpointing=Checkpointing.STAGES)
BRANCHES_AGAIN = replace(DEEP, checkpointing=Checkpointing.BRANCHES)
TALL = Architecture(resolution=32, channels=2, stage_channels=(4, 8, 16), residuals_per_stage=1)
BATCH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One network, and how it computes."""

    architecture: Architecture
    dtype: torch.dtype = torch.float64
    layout: torch.memory_format = torch.channels_last_3d
    kernels: Kernels = "torch"
    is_cast: bool = False
    """Whether autocast computes in bfloat16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """Of what ranks find together from what one finds, relative to the largest of its kind."""

    outputs: float
    loss: float
    gradients: float
    num_bytes: int
    num_exchanges: int


def built(case: Case) -> Network:
    """With weights of its own in the last layer, which the recipe would make zeros."""
    network = build(case.architecture, seed=1, recipe=Recipe.REFERENCE, kernels=case.kernels)
    network.to(case.dtype)
    network.to(memory_format=case.layout)  # type: ignore[call-overload]  # torch's stub leaves it out
    return network


def batch_of(case: Case, number: int) -> tuple[Tensor, Tensor]:
    """Grids and targets that all ranks know."""
    generator = torch.Generator().manual_seed(number)
    side = case.architecture.resolution
    shape = (BATCH, case.architecture.channels, side, side, side)
    grids = torch.randn(shape, generator=generator).to(case.dtype, memory_format=case.layout)
    return grids, torch.rand((BATCH, 4), generator=generator).to(case.dtype)


def slab_of(crew: Crew, grids: Tensor, layout: torch.memory_format) -> Tensor:
    planes = grids.shape[2] // crew.num_ranks
    return grids.narrow(2, crew.rank * planes, planes).contiguous(memory_format=layout)


def passed(model: nn.Module, case: Case, grids: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs and loss; gradients are left at the weights."""
    with torch.autocast("cpu", torch.bfloat16, enabled=case.is_cast):
        outputs = model(grids)
    loss = functional.mse_loss(outputs.to(case.dtype), targets)
    loss.backward()
    return outputs.detach(), loss.detach()


def deviations(crew: Crew, cases: list[Case]) -> list[Deviation]:
    return [deviation(crew, case) for case in cases]


def deviation(crew: Crew, case: Case) -> Deviation:
    """How far outputs, loss and mean gradients of slabs are from those of whole grids, in the second step."""
    alone, divided, traffic = built(case), built(case), Traffic()
    divide(divided, case.architecture, crew, traffic)
    for number in (1, 2):
        alone.zero_grad()
        divided.zero_grad()
        traffic.num_bytes = traffic.num_exchanges = 0
        grids, targets = batch_of(case, number)
        whole = passed(alone, case, grids, targets)
        own = passed(divided, case, slab_of(crew, grids, case.layout), targets)
    assert list(dict(divided.named_parameters())) == list(dict(alone.named_parameters()))
    return Deviation(
        outputs=off(own[0], whole[0]),
        loss=off(own[1], whole[1]),
        gradients=off_gradients(divided, alone, crew.num_ranks),
        num_bytes=traffic.num_bytes,
        num_exchanges=traffic.num_exchanges,
    )


def off_gradients(divided: nn.Module, alone: nn.Module, num_ranks: int) -> float:
    """The worst of all parameters, of the mean over ``num_ranks`` ranks."""
    worst = 0.0
    for own, whole in zip(divided.parameters(), alone.parameters(), strict=True):
        assert own.grad is not None
        assert whole.grad is not None
        mean = own.grad.contiguous()
        if num_ranks > 1:
            dist.all_reduce(mean)
        worst = max(worst, off(mean / num_ranks, whole.grad))
    return worst


def off(found: Tensor, due: Tensor) -> float:
    return float((found.double() - due.double()).abs().max() / due.double().abs().max())


def replicas_of_two(crew: Crew, case: Case) -> tuple[float, float]:
    """Losses and gradients of two steps by replicas of two ranks each, whose gradients DDP averages."""
    group, _ = dist.new_subgroups(group_size=2)
    assert group is not None
    pair = Crew(group=group, device=crew.device)
    replica, num_replicas = crew.rank // 2, crew.num_ranks // 2
    alone, divided = built(case), built(case)
    divide(divided, case.architecture, pair, Traffic())
    wrapped = DistributedDataParallel(divided, process_group=crew.group, gradient_as_bucket_view=True)
    worst_loss = worst_gradient = 0.0
    for step in range(2):
        alone.zero_grad()
        wrapped.zero_grad()
        batches = [batch_of(case, num_replicas * step + number) for number in range(num_replicas)]
        parts = [passed(alone, case, *batch)[1] for batch in batches]
        for parameter in alone.parameters():
            assert parameter.grad is not None
            parameter.grad /= num_replicas  # a batch of all samples has the mean of the parts' gradients
        grids, targets = batches[replica]
        own = passed(wrapped, case, slab_of(pair, grids, case.layout), targets)
        worst_loss = max(worst_loss, off(own[1], parts[replica]))
        worst_gradient = max(worst_gradient, off_gradients(divided, alone, num_ranks=1))
    return worst_loss, worst_gradient


def kept_bytes(crew: Crew, architecture: Architecture) -> tuple[int, int]:
    """What the forward pass keeps for the backward pass: of whole grids, and of this rank's slab."""
    case = Case(architecture=architecture, dtype=torch.float32)
    alone, divided = built(case), built(case)
    divide(divided, architecture, crew, Traffic())
    grids, _ = batch_of(case, 1)
    return kept(alone, grids), kept(divided, slab_of(crew, grids, case.layout))


def kept(model: nn.Module, grids: Tensor) -> int:
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    found: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(grids)
    return sum(found.values())

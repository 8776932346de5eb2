"""The device that a rank works on."""

from collections.abc import Callable
from functools import partial

import torch

from saih.domain.errors import EnvironmentMissing
from saih.domain.point import Placement
from saih.machine.memory import available_memory_bytes
from saih.machine.messages import least
from saih.machine.mpi import MPI


def device_of(placement: Placement, comm: MPI.Intracomm) -> torch.device:
    """The device of this rank, made torch's current one; every rank calls it.

    Raises:
        EnvironmentMissing: where the placement asks for accelerators that torch does not see.
    """
    if placement.device == "cpu":
        return torch.device("cpu")
    if not least(comm, torch.cuda.is_available()):
        raise EnvironmentMissing(
            f"the placement {placement.label} needs accelerators, but torch sees none on some rank",
            "install a torch built for them and start the ranks where they are, or set device to cpu.",
        )
    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    # Some launchers show each rank its own device only, then numbered 0.
    device = torch.device("cuda", node.rank % torch.cuda.device_count())
    node.Free()
    torch.cuda.set_device(device)
    return device


def synchronise_on(device: torch.device) -> Callable[[], None]:
    """What waits until the device has done all that was asked of it."""
    if device.type == "cuda":
        return partial(torch.cuda.synchronize, device)
    return lambda: None


def free_bytes(placement: Placement, comm: MPI.Intracomm, device: torch.device) -> float:
    """Memory [bytes] that the poorest rank may still take on its device; every rank calls it."""
    if device.type == "cuda":
        free = float(torch.cuda.mem_get_info(device)[0])
    else:
        free = available_memory_bytes() / placement.ranks_per_node
    return least(comm, free)

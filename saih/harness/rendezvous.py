"""Where the ranks of one point meet to exchange gradients: a process group, or a Horovod, of its own."""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
import torch.distributed as dist

from saih.domain.point import Exchange
from saih.harness.exchange import MeasuredExchange, NoExchange
from saih.harness.exchange_ddp import DEFAULT_BUCKET_MIB, CudaDdpExchange, DdpExchange
from saih.harness.exchange_horovod import HorovodExchange, moments_of
from saih.harness.horovod_library import require_horovod, running_horovod
from saih.harness.ranks import Ranks
from saih.machine.background import GLOO_WAITING, gloo_threads, newer_gloo_threads_step_back
from saih.machine.mpi import MPI
from saih.machine.process_group import process_group, subgroup
from workloads.protocol import Connect, Degrees


def require_exchanges(kinds: Collection[Exchange]) -> None:
    """Do nothing where this rank can exchange gradients in all these ways; needs no other rank.

    Raises:
        EnvironmentMissing: for Horovod where it is missing or cannot be used.
    """
    if "horovod" in kinds:
        require_horovod(os.environ)


@contextmanager
def open_replica(ranks: Ranks, degrees: Degrees, timeout_s: float) -> Iterator[Connect]:
    """A way to a process group among the ranks that divide one model with this one: see ``open_groups``."""
    with open_groups(ranks, timeout_s) as join:
        yield partial(join, degrees.num_ranks)


@contextmanager
def open_groups(ranks: Ranks, timeout_s: float) -> Iterator[Callable[[int], dist.ProcessGroup]]:
    """A way to a process group among so many consecutive ranks, counted from rank 0.

    Every rank enters and leaves. The group is made when it is first asked for, which all ranks do or none,
    and ends on leaving. Where ranks exchange gradients by a process group, enter that one before: this one is
    then made beside it, and else it is the default group of torch.distributed.
    ``timeout_s`` bounds one collective.
    """
    groups: dict[int, dist.ProcessGroup] = {}
    with ExitStack() as stack:

        def join(num_ranks: int) -> dist.ProcessGroup:
            if num_ranks not in groups:
                has_default = dist.is_initialized()
                made = subgroup(num_ranks, timeout_s) if has_default else _apart(ranks, num_ranks, timeout_s)
                groups[num_ranks] = stack.enter_context(made)
            return groups[num_ranks]

        yield join


@contextmanager
def _apart(ranks: Ranks, num_ranks: int, timeout_s: float) -> Iterator[dist.ProcessGroup]:
    """A default process group of so many consecutive ranks, who know of no others."""
    crew = MPI.Intracomm(ranks.comm.Split(ranks.rank // num_ranks, ranks.rank))
    with process_group(crew, torch.device(ranks.device), timeout_s) as group:
        crew.Free()  # they met; the group has ways of its own
        yield group


@contextmanager
def open_exchange(
    kind: Exchange, ranks: Ranks, timeout_s: float, bucket_mib: int = DEFAULT_BUCKET_MIB
) -> Iterator[MeasuredExchange]:
    """The gradient exchange of one point: see ``open_exchanges``."""
    with open_exchanges(kind, ranks, timeout_s) as make:
        yield make(bucket_mib)


@contextmanager
def open_exchanges(
    kind: Exchange, ranks: Ranks, timeout_s: float
) -> Iterator[Callable[[int], MeasuredExchange]]:
    """Makes a gradient exchange for each model, of buckets of so many MiB; every rank enters and leaves it.

    One rank has nobody to exchange with and gets ``NoExchange``. ``timeout_s`` bounds one collective of a
    process group; Horovod's have no bound, the watchdog ends them.

    Raises:
        EnvironmentMissing: for Horovod where it cannot be used.
    """
    if kind == "none" or ranks.num_ranks == 1:
        yield lambda _: NoExchange()
    elif kind == "horovod":
        with running_horovod(ranks.comm) as horovod:
            yield lambda _: HorovodExchange(horovod, moments_of(ranks.device))
    else:
        others = gloo_threads(GLOO_WAITING)
        with process_group(ranks.comm, torch.device(ranks.device), timeout_s) as group:
            if ranks.device == "cpu":
                newer_gloo_threads_step_back(others)

            def make(bucket_mib: int) -> MeasuredExchange:
                on_cpu = ranks.device == "cpu"
                return DdpExchange(group, bucket_mib) if on_cpu else CudaDdpExchange(group, bucket_mib)

            yield make

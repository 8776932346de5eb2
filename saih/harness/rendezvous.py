"""Where the ranks of one point meet to exchange gradients: a process group of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from saih.domain.point import Exchange
from saih.harness.exchange import CudaDdpExchange, DdpExchange, MeasuredExchange, NoExchange
from saih.harness.ranks import Ranks
from saih.machine.process_group import process_group


@contextmanager
def open_exchange(kind: Exchange, ranks: Ranks, timeout_s: float) -> Iterator[MeasuredExchange]:
    """The gradient exchange of one point; every rank enters and leaves it.

    One rank has nobody to exchange with and gets ``NoExchange``. ``timeout_s`` bounds one collective.
    """
    if kind == "none" or ranks.num_ranks == 1:
        yield NoExchange()
        return
    with process_group(ranks.comm, torch.device(ranks.device), timeout_s) as group:
        yield DdpExchange(group) if ranks.device == "cpu" else CudaDdpExchange(group)

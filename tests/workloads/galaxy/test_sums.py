"""Sums over devices: with every wire format within the bounds of their messages, and alike on all devices."""

import pytest
import torch

from tests.workloads.galaxy.cluster_in_threads import executors, on_all, plan_of
from tests.workloads.transformer.architectures import GPT2
from workloads.galaxy.engine.desk import Expected
from workloads.galaxy.engine.direct_sum import DirectSum
from workloads.galaxy.engine.executor import Executor
from workloads.galaxy.engine.inbox import Inbox
from workloads.galaxy.engine.megatron import RingSum
from workloads.galaxy.engine.pieces import Pieces
from workloads.galaxy.plan import Strategy
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.layout import Layout
from workloads.transformer.random_weights import RandomWeights

BOUND = {WireFormat.EXACT: 0.0, WireFormat.BFLOAT16: 2.0**-8, WireFormat.INT8: (1 + 2.0**-14) / 254}
"""Of the greatest magnitude of a row, each time that it is written."""


@pytest.mark.parametrize("kind", [RingSum, DirectSum])
@pytest.mark.parametrize("wire", list(WireFormat))
@pytest.mark.parametrize("num_rows", [1, 2, 11])
def test_a_sum_is_within_the_bounds_of_its_messages(kind, wire: WireFormat, num_rows: int) -> None:
    plan = plan_of(GPT2, Strategy.TENSOR, (1.0,) * 4, wire=wire)
    generator = torch.Generator().manual_seed(num_rows)
    parts = [
        torch.randn(num_rows, GPT2.hidden_size, generator=generator, dtype=torch.float64) for _ in range(4)
    ]

    def summed(executor: Executor) -> list[torch.Tensor]:
        station = executor._station
        total = kind(station, num_rows)
        pieces = Pieces(station, Layout(lengths=(num_rows,)), None)
        station.ring.begin(Expected(rooms=total.rooms, devices=plan.devices))
        inbox = Inbox(station)
        own = parts[station.position]
        return [total.total(own.clone(), half, pieces, inbox).clone() for half in range(5)]

    with executors(GPT2, plan, RandomWeights(GPT2, 0)) as devices:
        found = on_all(devices, summed)
    assert all(torch.equal(each, found[0][0]) for device in found for each in device)
    # A partial sum is at most the sum of magnitudes, and is written at most as often as there are devices.
    magnitude = torch.stack(parts).abs().sum(dim=0).amax(dim=1, keepdim=True)
    bound = magnitude * (1 + BOUND[wire]) ** 4 * BOUND[wire] * 4
    error = (found[0][0] - torch.stack(parts).sum(dim=0)).abs()
    assert (error <= bound + 1e-12).all()

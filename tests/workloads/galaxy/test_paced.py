"""Devices that are only paced send the same messages, load no weights, and take no less than their time."""

import pytest
import torch

from tests.workloads.galaxy.cluster_in_threads import answers, executors, on_all, plan_of
from tests.workloads.transformer.architectures import ALL, family_name
from workloads.galaxy.engine.greedy import generated
from workloads.galaxy.engine.paced import PacedArithmetic
from workloads.galaxy.plan import Strategy
from workloads.galaxy.profile import DeviceProfile
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.layout import Layout
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.want import Want

PROFILE = DeviceProfile(
    name="slow",
    product_rows=(1,),
    product_rates=(1e9,),
    attention_rate=1e9,
    memory_rate=1e10,
    call_ns=10.0,
    memory_bytes=1 << 30,
)


class NoWeights:
    def read(self, name, spans):
        raise AssertionError("a paced device reads no weights")


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9) + 70


@pytest.mark.parametrize("strategy", [Strategy.HYBRID, Strategy.TENSOR, Strategy.SEQUENCE, Strategy.PIPELINE])
@pytest.mark.parametrize("architecture", ALL, ids=family_name)
@pytest.mark.parametrize("wire", [WireFormat.EXACT, WireFormat.INT8])
def test_the_same_messages_go_around(
    architecture: TransformerArchitecture, strategy: Strategy, wire: WireFormat
) -> None:
    plan = plan_of(architecture, strategy, (1.0, 2.0, 1.0), num_tiles=2, wire=wire)
    counts, shapes = [], []
    for arithmetic, weights in ((None, RandomWeights(architecture, 1)), (PacedArithmetic, NoWeights())):
        given = {} if arithmetic is None else {"arithmetic": lambda: PacedArithmetic(*clocked())}
        with executors(architecture, plan, weights, profile=PROFILE, **given) as devices:
            for layout in (Layout(lengths=(13,)), Layout(lengths=(3, 4)), Layout(lengths=(1,))):
                found = answers(devices, torch.arange(layout.num_rows), layout, Want.LAST_ROWS)
                shapes.append(found[0].shape)
                assert found[0].isfinite().all()
            counts.append([each.ring.sent_bytes for each in devices])
    assert counts[0] == counts[1]
    assert shapes[:3] == shapes[3:]


def test_new_tokens_are_paced_too() -> None:
    plan = plan_of(ALL[0], Strategy.HYBRID, (1.0, 1.0))
    with executors(
        ALL[0], plan, NoWeights(), profile=PROFILE, arithmetic=lambda: PacedArithmetic(*clocked())
    ) as devices:
        for found in on_all(devices, lambda each: generated(each, torch.arange(5), [5], 3)):
            assert found.tolist() == [[0, 0, 0]]


def clocked():
    clock = Clock()
    return clock, clock.sleep


def test_sleeping_too_long_does_not_add_up_but_waiting_does() -> None:
    clock = Clock()
    paced = PacedArithmetic(clock, clock.sleep)
    for _ in range(1000):
        assert paced.do(lambda: 1 / 0, lambda: 2.0, 100.0) == 2.0
    assert 100_000 <= clock.now_ns <= 100_170
    clock.now_ns = 500_000
    paced.waited()
    paced.do(lambda: 1, lambda: 2, 100.0)
    assert 500_100 <= clock.now_ns <= 500_170


def test_what_the_program_does_between_pieces_counts_as_part_of_them() -> None:
    clock = Clock()
    paced = PacedArithmetic(clock, clock.sleep)
    paced.do(lambda: 1, lambda: 2, 1000.0)
    clock.now_ns += 500
    paced.do(lambda: 1, lambda: 2, 1000.0)
    assert 2000 <= clock.now_ns <= 2070

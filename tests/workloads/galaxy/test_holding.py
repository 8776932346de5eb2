"""A device in another plan keeps what it holds: only what is missing is read, and nothing else comes out."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.workloads.galaxy.cluster_in_threads import (
    CPU64,
    connected,
    in_threads,
    on_all,
    plan_of,
    relative_error,
    undivided,
)
from tests.workloads.transformer.architectures import ALL, GPT2, LLAMA, family_name
from workloads.galaxy.engine.arithmetic import RealArithmetic
from workloads.galaxy.engine.executor import Executor
from workloads.galaxy.engine.holding import load_holding
from workloads.galaxy.plan import ParallelPlan, Strategy
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.layout import Layout
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.rank_weights import end_parts, layer_parts
from workloads.transformer.split import Span
from workloads.transformer.want import Want

STRATEGIES = [Strategy.HYBRID, Strategy.TENSOR, Strategy.SEQUENCE]


LOAD_IN_A_NEW_HEAP = """
from benchmarks.anonymous_memory import status_bytes
from benchmarks.galaxy_limits import ConstantWeights
from workloads.galaxy.engine.holding import load_holding
from workloads.galaxy.plan import DevicePart, whole_share
from workloads.transformer.ladder import named
from workloads.transformer.place import Place
from workloads.transformer.split import Span
import torch

torch.set_num_threads(1)
architecture = named("bert-large")
part = DevicePart(device=0, layers=Span(0, 4), share=whole_share(architecture), row_weight=1.0)
before = status_bytes("VmData")
place = Place(device=torch.device("cpu"), dtype=torch.float32)
held = load_holding(architecture, part, ConstantWeights(architecture), place)
tensors = [each for group in held.groups.values() for each in group.values()]
print(status_bytes("VmData") - before - sum(each.numel() * each.element_size() for each in tensors))
"""
MOST_HOLES_BYTES = 16 << 20
"""For 16 matrices and an embedding."""


class CountedWeights:
    """Weights that count which of their elements are read."""

    def __init__(self, architecture: TransformerArchitecture) -> None:
        self._inner = RandomWeights(architecture, 5)
        self.num_read = 0

    def read(self, name: str, spans: Sequence[Span | None]) -> Tensor:
        part = self._inner.read(name, spans)
        self.num_read += part.numel()
        return part


def elements(architecture: TransformerArchitecture, plan: ParallelPlan, place: int) -> set[tuple]:
    """Every element of the model's weights that a device of a plan holds."""
    part = plan.parts[place]
    parts = [layer_parts(architecture, index, part.share) for index in part.layers]
    found = set()
    for named in (*parts, end_parts(architecture, part.layers, part.share)):
        for weights in named.values():
            for weight in weights:
                grids = torch.meshgrid(
                    *(torch.arange(span.begin, span.end) for span in weight.spans), indexing="ij"
                )
                places = torch.stack([grid.flatten() for grid in grids], dim=1).tolist()
                found |= {(weight.name, *at) for at in places}
    return found


@settings(max_examples=40)
@given(st.sampled_from(ALL), st.data())
def test_only_what_is_missing_is_read(architecture: TransformerArchitecture, data: st.DataObject) -> None:
    architecture = replace(
        architecture, num_layers=2, hidden_size=6, head_size=2, ffn_size=11, max_length=3, vocab_size=13
    )
    speeds = st.lists(st.floats(0.2, 5.0), min_size=3, max_size=3)
    before, after = (
        plan_of(architecture, data.draw(st.sampled_from(STRATEGIES)), data.draw(speeds)) for _ in range(2)
    )
    place = data.draw(st.integers(0, 2))
    source = CountedWeights(architecture)
    held = load_holding(architecture, before.parts[place], source, CPU64)
    assert source.num_read == len(elements(architecture, before, place))
    source.num_read = 0
    held = load_holding(architecture, after.parts[place], source, CPU64, held)
    missing = elements(architecture, after, place) - elements(architecture, before, place)
    assert source.num_read == len(missing)
    fresh = load_holding(architecture, after.parts[place], source, CPU64)
    assert held.groups.keys() == fresh.groups.keys()
    for index, group in fresh.groups.items():
        assert group.keys() == held.groups[index].keys()
        assert all(torch.equal(tensor, held.groups[index][name]) for name, tensor in group.items())


def test_what_stays_the_same_is_not_even_copied() -> None:
    plan = plan_of(GPT2, Strategy.HYBRID, (1.0, 1.0))
    held = load_holding(GPT2, plan.parts[0], RandomWeights(GPT2, 1), CPU64)
    before = {(index, name): tensor for index, group in held.groups.items() for name, tensor in group.items()}
    held = load_holding(GPT2, plan.parts[0], RandomWeights(GPT2, 1), CPU64, held)
    after = {(index, name): tensor for index, group in held.groups.items() for name, tensor in group.items()}
    assert before.keys() == after.keys()
    assert all(before[key] is after[key] for key in before if key[1] != "head.weight")


@pytest.mark.parametrize("architecture", [GPT2, LLAMA], ids=family_name)
def test_answers_stay_right_from_plan_to_plan(architecture: TransformerArchitecture) -> None:
    weights, layout = RandomWeights(architecture, 5), Layout(lengths=(11,))
    tokens = torch.arange(11)
    with torch.inference_mode():
        expected = undivided(architecture, weights).forward(tokens, layout, Want.ALL_ROWS)
    plans = [
        plan_of(architecture, Strategy.HYBRID, (1.0, 1.0, 1.0), num_tiles=2),
        plan_of(architecture, Strategy.HYBRID, (3.0, 1.0, 2.0), num_tiles=3),
        plan_of(architecture, Strategy.TENSOR, (1.0, 3.0), devices=(2, 0)),
        plan_of(architecture, Strategy.SEQUENCE, (1.0, 3.0, 1.0), devices=(1, 0, 2)),
        plan_of(architecture, Strategy.PIPELINE, (1.0, 1.0), devices=(1, 2)),
        plan_of(architecture, Strategy.HYBRID, (1.0, 1.0, 2.0), num_tiles=2),
    ]
    rings = connected((0, 1, 2))
    running: dict[int, Executor] = {}
    for epoch, plan in enumerate(plans):
        for device in plan.devices:
            if device in running:
                running[device] = running[device].replanned(plan, epoch=epoch)
            else:
                running[device] = Executor(
                    architecture=architecture,
                    plan=plan,
                    device=device,
                    weights=weights,
                    ring=rings[device],
                    place=CPU64,
                    arithmetic=RealArithmetic(),
                    epoch=epoch,
                )
        devices = [running[device] for device in plan.devices]
        for _ in range(2):
            found = on_all(devices, lambda each: each.forward(tokens, layout, Want.ALL_ROWS))
            assert relative_error(found[0], expected) < 1e-9
    in_threads([ring.close for ring in rings.values()])


@pytest.mark.parametrize("_try", range(3))  # where the heap begins decides too: larger blocks pass some
def test_loading_leaves_few_holes_in_the_heap(_try: int) -> None:
    found = subprocess.run(
        [sys.executable, "-c", LOAD_IN_A_NEW_HEAP], capture_output=True, text=True, check=True
    )
    assert int(found.stdout) <= MOST_HOLES_BYTES

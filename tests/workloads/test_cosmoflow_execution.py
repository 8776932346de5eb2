"""Executions of a training step: what they compute, what they refuse, and what they leave behind."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._inductor import config

from augment.problem import Problem, ProblemError, Shape
from cosmology import network
from saih.harness.census import Census
from workloads.cosmoflow.cost import CosmoFlow
from workloads.cosmoflow.descent import Descent
from workloads.cosmoflow.schedule import MOMENTUM, learning_rate
from workloads.cosmoflow.shapes import CosmoFlowShape
from workloads.cosmoflow.training import CosmoFlowJob, TrainingSession
from workloads.execution import PLAIN, REFERENCE, Execution
from workloads.protocol import Surroundings
from workloads.tuning import LOSS_BOUNDS, TuningFacts

RESOLUTION = 16
NUM_STEPS = 6


class Alone:
    """A gradient exchange without anybody else."""

    def attach(self, model: Any) -> Any:
        return model


def problem(resolution: int = RESOLUTION, **model: Any) -> Problem:
    data = Shape.of(samples=16, resolution=resolution, channels=2, universes=2)
    return Problem(data=data, model=Shape.of({"depth": 1, "width": 4, **model}))


def prepared(execution: Execution, of: Problem | None = None, **changes: Any) -> TrainingSession:
    usual = {
        "rank": 0,
        "num_ranks": 1,
        "device": "cpu",
        "precision": "float32",
        "batch_per_rank": 4,
        "seed": 1,
        "data_folder": Path(),
        "input": "synthetic",
        "exchange": Alone(),
        "execution": execution,
    }
    session = CosmoFlowJob().prepare(of or problem(), Surroundings(**{**usual, **changes}))
    assert isinstance(session, TrainingSession)
    return session


def losses(execution: Execution, of: Problem | None = None, **changes: Any) -> list[float]:
    session = prepared(execution, of, **changes)
    try:
        return [float(session.step(session.produce(step), lambda phase: None)) for step in range(NUM_STEPS)]
    finally:
        session.close()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    yield from threads(1)


@pytest.fixture
def two_threads() -> Iterator[None]:
    yield from threads(2)


def threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    yield
    torch.set_num_threads(before)


class PlainNetwork(nn.Module):
    """The network as most people write it."""

    def __init__(self, channels: list[int], features: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv3d(before, after, 3, padding=1) for before, after in pairwise(channels)
        )
        self.pool = nn.MaxPool3d(2)
        self.activation = nn.LeakyReLU(0.3)
        self.dense = nn.ModuleList([nn.Linear(features, 128), nn.Linear(128, 64)])
        self.last = nn.Linear(64, 4)

    def forward(self, x: Tensor) -> Tensor:
        for convolution in self.convolutions:
            x = self.pool(self.activation(convolution(x)))
        x = x.permute(0, 2, 3, 4, 1).flatten(1)
        for layer in self.dense:
            x = self.activation(layer(x))
        return 1.2 * torch.tanh(self.last(x))


def plain_losses(batches: list[tuple[Tensor, Tensor]]) -> list[float]:
    """A loop over batches as most people write it, from the weights that the product begins with."""
    architecture = CosmoFlowShape.from_problem(problem()).architecture()
    ours = network.build(architecture, seed=1, recipe=architecture.recipe)
    stages = list(architecture.stage_channels)
    model = PlainNetwork([architecture.channels, *stages], 64 * stages[-1])
    model.load_state_dict(dict(zip(model.state_dict(), ours.state_dict().values(), strict=True)))
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate(architecture, 4), momentum=MOMENTUM)
    criterion = nn.MSELoss()
    history = []
    for grids, targets in batches:
        optimizer.zero_grad()
        loss = criterion(model(grids), targets)
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return history


@pytest.mark.slow
def test_the_reference_has_the_losses_of_a_plain_loop_to_the_last_bit() -> None:
    session = prepared(REFERENCE)
    batches = [session.produce(step) for step in range(NUM_STEPS)]
    assert all(grids.is_contiguous() for grids, _ in batches)
    session.close()
    ours = losses(REFERENCE)
    assert len(set(ours)) == NUM_STEPS
    assert ours == plain_losses(batches)


@pytest.mark.slow
def test_the_reference_computes_in_float32_whatever_the_point_asks() -> None:
    assert losses(REFERENCE, precision="bfloat16") == losses(REFERENCE)


SAME = 1e-5
"""Of losses whose arithmetic is the same but for the order of its sums."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "bound"),
    [
        ({"layout": "channels_first"}, SAME),
        ({"optimizer": "loop"}, 0.0),
        ({"optimizer": "fused"}, SAME),
        ({"inputs": "counts"}, 0.0),
        ({"kernels": "own"}, SAME),
        ({"precision": "bfloat16"}, LOSS_BOUNDS["bfloat16"]),
        ({"precision": "bfloat16", "inputs": "counts", "optimizer": "fused"}, LOSS_BOUNDS["bfloat16"]),
        ({"precision": "bfloat16", "kernels": "own"}, LOSS_BOUNDS["bfloat16"]),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_every_setting_has_the_losses_of_the_plain_step(chosen: dict[str, Any], bound: float) -> None:
    plain, others = losses(PLAIN), losses(Execution(name="given", **chosen))
    np.testing.assert_allclose(others, plain, rtol=bound, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "sizes", [{"depth": 2}, {"normalisation": "group"}, {"checkpointing": "stages"}], ids=str
)
def test_settings_hold_for_members_of_other_shapes(sizes: dict[str, Any]) -> None:
    of = problem(**sizes)
    chosen = Execution(name="given", kernels="own", optimizer="fused", inputs="counts")
    np.testing.assert_allclose(losses(chosen, of), losses(PLAIN, of), rtol=SAME)


def flops(session: TrainingSession) -> int:
    """Of one step, as the harness counts them."""
    with torch.compiler.set_stance("force_eager"), Census() as census:
        session.step(session.produce(0), census.marking(lambda phase: None))
    session.close()
    return sum(operation.flops for operation in census.operations())


@pytest.mark.slow
def test_a_compiled_network_has_the_losses_of_the_plain_step_and_is_compiled_before_it() -> None:
    chosen = Execution(name="given", compiler="inductor", inputs="counts")
    session = prepared(chosen)
    num_programs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    history = [float(session.step(session.produce(step), lambda phase: None)) for step in range(NUM_STEPS)]
    assert num_programs > 0
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == num_programs
    assert flops(session) == flops(prepared(PLAIN)) > 0
    np.testing.assert_allclose(history, losses(PLAIN), rtol=SAME)


@pytest.mark.slow
@pytest.mark.parametrize("kernels", ["torch", "own"])
def test_operations_that_cannot_all_be_seen_are_left_to_what_is_declared(kernels: Any) -> None:
    session = prepared(Execution(kernels=kernels))
    try:
        seen = flops(session)
    finally:
        session.close()
    declared = CosmoFlow().cost(problem(), batch_per_rank=4, precision="float32").flops
    assert (seen == declared) is (kernels == "torch")
    assert session.is_recorded is (seen != declared)


@pytest.mark.slow
@pytest.mark.usefixtures("two_threads")
def test_two_sessions_stepped_in_turns_do_not_disturb_each_other() -> None:
    chosen = (PLAIN, Execution(name="given", threads=1, layout="channels_first"))
    alone = [losses(one) for one in chosen]
    sessions = [prepared(one) for one in chosen]
    together: list[list[float]] = [[], []]
    for step in range(NUM_STEPS):
        for session, history, one in zip(sessions, together, chosen, strict=True):
            session.resume()
            assert torch.get_num_threads() == (one.threads or 2)
            history.append(float(session.step(session.produce(step), lambda phase: None)))
    for session in sessions:
        session.close()
    assert together == alone
    assert torch.get_num_threads() == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"precision": "float16"}, "float16 on device cpu"),
        ({"precision": "tf32"}, "tf32 on device cpu"),
        ({"precision": "float8"}, "'float8' is unknown; use float32, tf32, bfloat16, float16"),
        ({"graph": "step"}, "graph is step on device cpu"),
        ({"threads": 2}, "threads is 2, but a rank has 1"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_a_rank_cannot_do_is_refused_by_name_before_any_step(chosen: dict[str, Any], told: str) -> None:
    with pytest.raises(ProblemError, match=told):
        prepared(Execution(name="given", **chosen))
    assert torch.get_num_threads() == 1


@pytest.mark.slow
def test_a_compiler_that_is_missing_is_refused_by_name() -> None:
    with (
        config.patch({"cpp.cxx": ("no-such-compiler",)}),
        pytest.raises(ProblemError, match=r"no C\+\+ compiler"),
    ):
        prepared(Execution(name="given", compiler="inductor"))


@pytest.mark.slow
def test_a_network_that_cannot_be_compiled_is_refused_by_name() -> None:
    with pytest.raises(ProblemError, match="compiler is inductor, but it fails"):
        prepared(Execution(name="given", compiler="inductor", kernels="own"))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_grids_that_are_looked_up_are_those_that_are_computed_to_the_last_bit(precision: str) -> None:
    plain, looked_up = (
        prepared(Execution(name="given", kernels=kernels), precision=precision)
        for kernels in ("torch", "own")
    )
    for step in range(4):
        for computed, found in zip(plain.produce(step), looked_up.produce(step), strict=True):
            assert found.stride() == computed.stride()
            assert torch.equal(found, computed)
    plain.close()
    looked_up.close()


def trained(scaled_on: str, gradients: list[float]) -> list[float]:
    weight = nn.Parameter(torch.tensor(1.0))
    descent = Descent([weight], 0.1, "foreach", scaled_on)
    history = []
    for gradient in gradients:
        descent.scaled(weight * gradient).backward()  # type: ignore[no-untyped-call]
        descent.step()
        descent.forget()
        history.append(weight.item())
    return history


def test_a_scaled_loss_moves_weights_as_the_loss_itself() -> None:
    gradients = [1.0, -0.5, 2.0, 0.25]
    assert trained("cpu", gradients) == trained("", gradients)


def test_a_scaled_gradient_that_overflows_moves_nothing() -> None:
    huge = torch.finfo(torch.float32).max / 2
    first, second, third = trained("cpu", [1.0, huge, 1.0])
    assert first == second != third
    assert np.isfinite(third)


def facts(**changes: Any) -> TuningFacts:
    usual: dict[str, Any] = {
        "device": "cpu",
        "num_threads": 2,
        "num_ranks": 1,
        "has_exchange": False,
        "batch_per_rank": 4,
        "precision": "float32",
        "may_change_precision": True,
    }
    return TuningFacts(**{**usual, **changes})


def tried(**changes: Any) -> dict[str, tuple[str | int, ...]]:
    return {knob.name: knob.values for knob in CosmoFlowJob().settings(problem(), facts(**changes))}


def test_settings_worth_a_trial_are_those_that_the_rank_can_do() -> None:
    assert "graph" not in tried()
    assert "bucket_mib" not in tried()
    assert tried(num_ranks=2, has_exchange=True)["bucket_mib"]
    assert "threads" not in tried(num_threads=1)
    assert "precision" not in tried(may_change_precision=False)
    assert tried(device="cuda:0")["precision"] == ("bfloat16", "float16", "tf32")
    assert tried(device="cuda:0", precision="bfloat16")["precision"] == ("float16",)
    assert tried(device="cuda:0")["graph"] == ("step",)
    assert "graph" not in tried(device="cuda:0", num_ranks=2)


def test_what_takes_long_to_prepare_is_tried_last() -> None:
    assert list(tried())[-1] == list(tried(device="cuda:0"))[-1] == "compiler"


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is found")
@pytest.mark.parametrize(
    "chosen",
    [
        {"graph": "step"},
        {"graph": "step", "inputs": "counts", "optimizer": "fused"},
        {"graph": "step", "precision": "float16"},
        {"precision": "float16", "optimizer": "fused"},
        {"precision": "bfloat16", "kernels": "own", "graph": "step"},
        {"precision": "tf32"},
        {"compiler": "inductor", "graph": "step"},
    ],
    ids=str,
)
def test_every_setting_of_a_gpu_has_the_losses_of_the_plain_step(chosen: dict[str, Any]) -> None:
    bound = LOSS_BOUNDS[chosen.get("precision", "float32")]
    execution = Execution(name="given", **chosen)
    np.testing.assert_allclose(losses(execution, device="cuda:0"), losses(PLAIN, device="cuda:0"), rtol=bound)

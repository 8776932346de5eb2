"""What goes wrong in a pass ends it on every device, with a name, and leaves nobody waiting."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NoReturn, TypeVar

import pytest
import torch

from augment.problem import ProblemError
from tests.workloads.galaxy.cluster_in_threads import (
    CPU64,
    KeptWeights,
    connected,
    executors,
    in_threads,
    on_all,
    plan_of,
)
from tests.workloads.transformer.architectures import BERT, GPT2
from workloads.galaxy.engine.arithmetic import Arithmetic, RealArithmetic
from workloads.galaxy.engine.candidates import NotFiniteError
from workloads.galaxy.engine.executor import Executor
from workloads.galaxy.engine.ways import Ways
from workloads.galaxy.plan import ParallelPlan, Strategy, whole_share
from workloads.transformer.layout import Layout
from workloads.transformer.split import Span, tensor_shares
from workloads.transformer.want import Want
from workloads.transport.link_error import LinkError

T = TypeVar("T")
SHARING = [Strategy.HYBRID, Strategy.TENSOR, Strategy.SEQUENCE, Strategy.PIPELINE]
LAYOUT = Layout(lengths=(11,))


class Failing(RealArithmetic):
    """Has no memory for its fourth piece of work."""

    def __init__(self) -> None:
        self._num_left = 4

    def do(self, work: Callable[[], T], blank: Callable[[], T], cost_ns: float) -> T:
        self._num_left -= 1
        if not self._num_left:
            raise MemoryError("no room for a tile")
        return work()


def made(plans: Sequence[ParallelPlan], arithmetics: Sequence[Arithmetic]) -> list[Executor]:
    """A device of each plan."""
    devices = plans[0].devices
    rings = connected(devices)
    return [
        Executor(
            architecture=GPT2,
            plan=plan,
            device=device,
            weights=KeptWeights(GPT2, 1),
            ring=rings[device],
            place=CPU64,
            arithmetic=arithmetic,
        )
        for device, plan, arithmetic in zip(devices, plans, arithmetics, strict=True)
    ]


def failure(executor: Executor) -> Exception | None:
    """What a device's pass fails with."""
    try:
        executor.forward(torch.arange(LAYOUT.num_rows), LAYOUT, Want.NEXT_TOKENS)
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize("strategy", SHARING)
def test_a_device_that_fails_is_noticed_by_all_others(strategy: Strategy) -> None:
    plan = plan_of(GPT2, strategy, (1.0,) * 3, num_tiles=2)
    devices = made([plan] * 3, [RealArithmetic(), Failing(), RealArithmetic()])
    found = on_all(devices, failure)
    assert isinstance(found[1], MemoryError)
    for error in (found[0], found[2]):
        assert isinstance(error, LinkError)
        assert "device" in str(error)
    assert all(isinstance(error, LinkError) for error in on_all(devices, failure))


@pytest.mark.parametrize("strategy", SHARING)
def test_a_device_without_room_for_messages_is_noticed_by_all_others(
    strategy: Strategy, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = made([plan_of(GPT2, strategy, (1.0,) * 3, num_tiles=2)] * 3, [RealArithmetic()] * 3)

    class NoRoom(Ways):
        def way(self, layout: Layout, want: Want, *, is_kept: bool = False) -> NoReturn:
            raise MemoryError("no room for messages")

    monkeypatch.setattr(devices[1], "_ways", NoRoom(devices[1]._station))
    found = on_all(devices, failure)
    assert isinstance(found[1], MemoryError)
    assert all(isinstance(found[place], LinkError) for place in (0, 2))


def test_devices_of_different_plans_refuse_each_other() -> None:
    plan = plan_of(GPT2, Strategy.HYBRID, (1.0, 1.0), num_tiles=2)
    devices = made([plan, replace(plan, num_tiles=3)], [RealArithmetic()] * 2)
    found = on_all(devices, failure)
    assert all(isinstance(error, LinkError) for error in found)
    assert any("same plan and request" in str(error) for error in found)


@pytest.mark.parametrize("strategy", SHARING)
def test_logits_that_are_no_numbers_fail_their_request_alone(strategy: Strategy) -> None:
    class Poisoned(KeptWeights):
        def read(self, name: str, spans: Sequence[Span | None]) -> torch.Tensor:
            part = super().read(name, spans)
            return torch.full_like(part, torch.nan) if name == "final_norm.bias" else part

    plan = plan_of(GPT2, strategy, (1.0,) * 2, num_tiles=2)
    with executors(GPT2, plan, Poisoned(GPT2, 1)) as devices:
        for _ in range(2):
            assert [type(error) for error in on_all(devices, failure)] == [NotFiniteError] * 2
        rows = on_all(devices, lambda each: each.forward(torch.arange(11), LAYOUT, Want.LAST_ROWS))
        assert rows[0] is not None


def test_plans_that_fit_nobody_are_refused_before_anything_is_loaded() -> None:
    plan = plan_of(GPT2, Strategy.HYBRID, (1.0, 1.0))
    one, other = plan.parts
    twice = replace(other, share=one.share)
    wrong = {
        "cannot take part": replace(plan, parts=(one, replace(one, row_weight=2.0))),
        "at least 1 tile": replace(plan, num_tiles=0),
        "heads of keys shall follow each other": replace(plan, parts=(one, twice)),
        "heads of keys shall be whole": replace(plan, strategy=Strategy.SEQUENCE),
        "layers shall be whole": replace(plan, parts=(one, replace(other, layers=Span(0, 1)))),
        "one device does all of a local plan": replace(plan, strategy=Strategy.LOCAL),
        "biases are added once": replace(
            plan, parts=(one, replace(other, share=replace(other.share, rank=0)))
        ),
    }
    for words, each in wrong.items():
        with pytest.raises(ProblemError, match=words):
            Executor(
                architecture=GPT2,
                plan=each,
                device=0,
                weights=KeptWeights(GPT2, 1),
                ring=connected([0])[0],
                place=CPU64,
                arithmetic=RealArithmetic(),
            )


def test_only_the_first_device_tells_tokens() -> None:
    plan = plan_of(BERT, Strategy.HYBRID, (1.0, 1.0))
    with executors(BERT, plan, KeptWeights(BERT, 1)) as (first, second):
        for given, words in ((None, "has to give"), (torch.arange(2), "where 3 shall be told")):
            with pytest.raises(ValueError, match=words):
                first.told(given, 3)
        told = in_threads([lambda: first.told(torch.arange(3), 3), lambda: second.told(None, 3)])
        assert [each.tolist() for each in told] == [[0, 1, 2]] * 2


def test_whole_shares_and_tensor_shares_are_of_one_kind() -> None:
    assert whole_share(GPT2) == tensor_shares(GPT2, 1)[0]

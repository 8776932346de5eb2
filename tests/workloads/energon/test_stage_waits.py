"""Waiting in a pipeline: the formula against a pipeline that is played through."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.problem import Problem, Shape
from workloads.energon.cost import Energon
from workloads.energon.stage_waits import pipeline_time
from workloads.protocol import Cost, Degrees

MODEL = {"layers": 4, "hidden": 32, "heads": 4, "vocab": 8}


def played(stage_times: list[float], num_in_flight: int, num_rounds: int) -> float:
    """Passes one behind the other; each begins when its own of the round before has left the last stage."""
    free = [0.0] * len(stage_times)
    done = [0.0] * num_in_flight
    for _ in range(num_rounds):
        for number in range(num_in_flight):
            now = done[number]
            for stage, took in enumerate(stage_times):
                now = free[stage] = max(now, free[stage]) + took
            done[number] = now
    return max(done)


@settings(deadline=None)
@given(
    stage_times=st.lists(st.floats(0.1, 10.0), min_size=1, max_size=5),
    num_in_flight=st.integers(1, 7),
    num_rounds=st.integers(1, 9),
)
def test_rounds_take_as_long_as_a_pipeline_that_is_played_through(
    stage_times: list[float], num_in_flight: int, num_rounds: int
) -> None:
    expected = played(stage_times, num_in_flight, num_rounds)
    assert pipeline_time(stage_times, num_in_flight, num_rounds) == pytest.approx(expected)


def cost_of(pipeline: int, tensor: int = 1, **data: int) -> Cost:
    problem = Problem(data=Shape.of(sequence=8, **data), model=Shape.of(MODEL))
    degrees = Degrees(tensor_parallel=tensor, pipeline_parallel=pipeline)
    return Energon().cost(problem, batch_per_rank=2, precision="float32", degrees=degrees)


def stretches(cost: Cost, kind: str) -> set[float]:
    return {one.stretch for one in cost.operations if one.name.startswith(kind)}


def test_a_model_in_one_stage_waits_for_nobody() -> None:
    for tensor in (1, 2):
        cost = cost_of(1, tensor, batches=3, new_tokens=4)
        assert {one.stretch for one in cost.operations} == {1.0}
        assert (cost.num_awaited, cost.awaited_bytes) == (0, 0)


def test_one_pass_is_in_one_stage_at_a_time() -> None:
    cost = cost_of(4, new_tokens=5)
    assert [*stretches(cost, "prompt"), *stretches(cost, "decode")] == pytest.approx([4.0, 4.0])
    # Three of the prompt, and in each of five rounds one behind every stage, the token's way back included.
    assert cost.num_exchanges + cost.num_awaited == pytest.approx(23, abs=1)


def test_passes_for_every_stage_leave_filling_and_the_slowest_stage() -> None:
    few, many = (cost_of(2, batches=batches, new_tokens=20) for batches in (2, 40))
    (few_prompt,), (many_prompt,) = (stretches(cost, "prompt") for cost in (few, many))
    assert 1.0 < many_prompt < 1.05 < few_prompt < 1.6
    (filled,) = stretches(many, "decode")
    assert 1.0 < filled < 1.05
    assert few.num_awaited == 20
    assert many.num_awaited == 0


def test_stages_that_share_layers_wait_for_the_sums_of_others() -> None:
    alone, waiting = cost_of(1, tensor=2, new_tokens=3), cost_of(2, tensor=2, new_tokens=3)
    assert alone.num_awaited == 0
    # As many sums follow one another, whoever makes them, and messages: one of the prompt, two for a token.
    assert waiting.num_exchanges + waiting.num_awaited == pytest.approx(alone.num_exchanges + 7, abs=1)

"""Plans that problems ask for are those that are judged, in memory, words and format."""

from dataclasses import replace
from typing import Any

import pytest

from augment.problem import Problem, Shape
from workloads.galaxy.plan import Strategy
from workloads.galaxy.planning.choice import Chosen, choose
from workloads.galaxy.planning.plan_error import PlanError
from workloads.galaxy.shapes import GalaxyShape
from workloads.galaxy.wire_format import WireFormat

MODEL: dict[str, Any] = {"family": "bert", "layers": 2, "hidden": 64, "heads": 4, "vocab": 50}
NUM_DEVICES = 2


def chosen(memory_mb: float = 0, **model: Any) -> Chosen | None:
    """What answers 512 tokens; None where no plan fits."""
    given = {"sequence": 512, "link_mbit": 125, "speeds": "20:10"}
    of = Problem(data=Shape.of({**given, "memory_mb": memory_mb}), model=Shape.of({**MODEL, **model}))
    shape = GalaxyShape.from_problem(of)
    cluster = shape.devices.cluster(NUM_DEVICES)
    assert cluster is not None
    try:
        return choose(shape, cluster, 4)
    except PlanError:
        return None


@pytest.mark.parametrize("wire", ["exact", "int8"])
@pytest.mark.parametrize("strategy", ["auto", "hybrid", "heuristic", "sequence", "pipeline"])
@pytest.mark.parametrize("tiles", [0, 1, 5])
def test_no_device_is_given_more_than_it_may_hold(strategy: str, wire: str, tiles: int) -> None:
    room, found = 0.5, []
    while room < 5:
        one = chosen(room, strategy=strategy, wire=wire, tiles=tiles)
        if one is not None:
            found.append(max(one.forecast.memory_bytes) / (room * 1e6))
        room *= 1.05
    assert found
    assert max(found) <= 1


@pytest.mark.parametrize("strategy", ["hybrid", "heuristic"])
def test_tiles_that_are_asked_for_are_those_that_words_speak_of(strategy: str) -> None:
    one = chosen(strategy=strategy, tiles=5)
    assert one is not None
    assert one.plan.strategy is Strategy.HYBRID
    assert one.plan.num_tiles == 5
    assert "5 tiles each" in one.words[0]


def test_more_tiles_than_rows_are_a_tile_for_each_row() -> None:
    one = chosen(strategy="hybrid", tiles=1000)
    assert one is not None
    assert one.plan.num_tiles == 1000


@pytest.mark.parametrize("strategy", ["pipeline", "sequence"])
def test_the_format_that_is_asked_for_is_that_of_the_links(strategy: str) -> None:
    exact, coded = (chosen(strategy=strategy, wire=wire) for wire in ("exact", "int8"))
    assert exact is not None
    assert coded is not None
    assert coded.plan.wire is WireFormat.INT8
    assert replace(coded.plan, wire=WireFormat.EXACT) == exact.plan
    assert max(coded.forecast.link_ns) < 0.5 * max(exact.forecast.link_ns)
    assert min(coded.forecast.compute_ns) > min(exact.forecast.compute_ns)
    assert min(coded.forecast.memory_bytes) > min(exact.forecast.memory_bytes)

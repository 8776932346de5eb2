"""Devices that share a model answer what one device answers, in jobs as the product starts them."""

from pathlib import Path

import numpy as np
import pytest

from augment.problem import Problem, Shape
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import Outcome, Phase, Record
from tests.workloads.job_by_hand import measured

pytestmark = pytest.mark.slow
NUM_STEPS = 2
DECODER = {"family": "llama", "layers": 3, "hidden": 32, "heads": 4, "ffn": 48, "vocab": 61}
ENCODER = {"family": "bert", "layers": 2, "hidden": 32, "heads": 4, "vocab": 61}
PROMPT = {"sequence": 13, "new_tokens": 3}


def points(placement: Placement, problems: list[Problem]) -> tuple[Point, ...]:
    return tuple(
        Point(
            workload="galaxy",
            problem=problem,
            batch_per_rank=1,
            precision="float64",
            exchange="none",
            placement=placement,
            timing=Timing(warmup_steps=1, min_steps=NUM_STEPS, max_steps=NUM_STEPS),
            seed=3,
        )
        for problem in problems
    )


def problem(data: dict[str, int | str], model: dict[str, int | str], **more: int | str) -> Problem:
    return Problem(data=Shape.of(data), model=Shape.of({**model, **more}))


@pytest.mark.parametrize("num_devices", [3])
def test_devices_answer_what_one_device_does(num_devices: int, tmp_path: Path) -> None:
    """Every kind of parallelism, over real links that were measured, in one job."""
    model: dict[str, int | str] = {**DECODER, "kv_heads": 2 if num_devices == 2 else 4}
    requests: list[tuple[dict[str, int | str], dict[str, int | str], tuple[str, ...]]] = [
        (dict(PROMPT), model, ("hybrid", "tensor", "pipeline", "auto")),
        ({"sequence": 13}, model, ("sequence",)),
        ({"sequence": 9}, dict(ENCODER), ("hybrid", "heuristic", "even")),
    ]
    (tmp_path / "alone").mkdir()
    singly = [problem(data, own) for data, own, _ in requests]
    answers = measured(tmp_path / "alone", Placement(), points(Placement(), singly))
    divided = [problem(data, own, strategy=word) for data, own, words in requests for word in words]
    expected = [one for one, (_, _, words) in zip(answers, requests, strict=True) for _ in words]
    placement = Placement(ranks_per_node=num_devices, tensor_parallel=num_devices)
    for record, alone in zip(
        measured(tmp_path, placement, points(placement, divided)), expected, strict=True
    ):
        assert record.result.outcome is Outcome.COMPLETED, record.result.reason
        check_answers(record, alone)


def check_answers(record: Record, alone: Record) -> None:
    """The same answers, noted with how they were made."""
    steps, expected = record.result.steps, alone.result.steps
    assert steps is not None
    assert expected is not None
    np.testing.assert_allclose(steps.losses, expected.losses, rtol=1e-8)
    # Bytes on a link are in each wait for a message, whatever the parallelism.
    assert Phase.STAGE_WAIT not in steps.duration_ns
    notes = record.result.notes
    assert notes["mode"] == "real devices, real links"
    assert notes["check"].startswith("relative error")
    assert int(notes["predicted_ns"]) > 0
    if record.point.problem.model["strategy"] != "auto":
        assert int(notes["link_bytes_per_request"]) > 0


def test_links_that_are_slower_than_asked_for_are_named(tmp_path: Path) -> None:
    """No network between processes carries a terabit a second."""
    placement = Placement(ranks_per_node=3, tensor_parallel=3)
    data: dict[str, int | str] = {"sequence": 16, "link_mbit": 1_000_000, "speeds": "2:1:1"}
    (record,) = measured(tmp_path, placement, points(placement, [problem(data, dict(ENCODER))]))
    assert record.result.outcome is Outcome.FAILED
    assert "links shall be held to 1e+06 Mbit/s, but the network carries only" in record.result.reason
    assert "from rank 0 to rank 1; give a lower link_mbit" in record.result.reason


def test_paced_devices_wait_in_place_of_computing_and_say_so(tmp_path: Path) -> None:
    data: dict[str, int | str] = {"sequence": 16, "link_mbit": 50, "speeds": "2:1"}
    paced = problem(data, dict(ENCODER), strategy="hybrid", wire="int8")
    placement = Placement(ranks_per_node=2, tensor_parallel=2)
    (record,) = measured(tmp_path, placement, points(placement, [paced]))
    assert record.result.outcome is Outcome.COMPLETED, record.result.reason
    notes = record.result.notes
    assert notes["mode"] == "paced devices, paced links"
    assert notes["check"].startswith("relative error")
    # Sleeping can only take longer: no machine makes a paced device faster than it was said to be.
    assert int(notes["latency_p50_ns"]) > 0.9 * int(notes["bound_ns"])

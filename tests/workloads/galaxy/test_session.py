"""One rank of galaxy in this process, and several as the product starts them."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from augment.problem import Problem, ProblemError, Shape
from workloads.galaxy.session import GalaxyJob
from workloads.protocol import PhaseName, Session, Surroundings
from workloads.telling import TellingJob, TellingSession

MODEL: dict[str, Any] = {"layers": 2, "hidden": 32, "heads": 4, "vocab": 31}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads cost tiny products more than they gain."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@contextmanager
def session(model: dict[str, Any], folder: Path, seed: int = 1, **data: Any) -> Iterator[Session[Any]]:
    ticks = itertools.count(step=1_000_000)
    surroundings = Surroundings(
        rank=0, num_ranks=1, device="cpu", precision="float64", batch_per_rank=1, seed=seed,
        data_folder=folder, exchange=None, clock=lambda: next(ticks),  # type: ignore[arg-type]
    )  # fmt: skip
    of = Problem(data=Shape.of({"sequence": 9, **data}), model=Shape.of(model))
    opened = GalaxyJob().prepare(of, surroundings)
    try:
        yield opened
    finally:
        opened.close()


def outputs(model: dict[str, Any], folder: Path, **changes: Any) -> list[float]:
    with session(model, folder, **changes) as opened:
        return [float(opened.step(opened.produce(step), lambda _: None)) for step in range(2)]


def test_a_seed_gives_the_same_answers_again_and_another_seed_others(tmp_path: Path) -> None:
    assert outputs(MODEL, tmp_path) == outputs(MODEL, tmp_path)
    assert not set(outputs(MODEL, tmp_path)) & set(outputs(MODEL, tmp_path, seed=2))


@pytest.mark.parametrize("sizes", [{}, {"new_tokens": 2}, {"speeds": 500}])
def test_one_device_computes_and_speaks_with_nobody(sizes: dict[str, Any], tmp_path: Path) -> None:
    marks: list[PhaseName] = []
    with session(MODEL, tmp_path, **sizes) as opened:
        opened.step(opened.produce(0), marks.append)
    assert set(marks) == {"forward"}


def test_a_job_notes_the_plan_what_was_foreseen_and_what_came(tmp_path: Path) -> None:
    job = GalaxyJob()
    assert isinstance(job, TellingJob)
    with session(MODEL, tmp_path, speeds=50) as opened:
        assert isinstance(opened, TellingSession)
        for step in range(3):
            opened.step(opened.produce(step), lambda _: None)
        notes = job.notes([opened.tell(2)])
    assert notes["mode"] == "paced devices, real links"
    assert notes["check"].startswith("relative error")
    assert float(notes["check"].split()[2]) < 1e-9
    assert int(notes["latency_p50_ns"]) > 0
    assert int(notes["predicted_ns"]) > 0
    assert int(notes["link_bytes_per_request"]) == 0
    assert "local" in notes["plan"]


def test_budgets_that_fit_nothing_end_before_weights_are_loaded(tmp_path: Path) -> None:
    with pytest.raises(ProblemError), session(MODEL, tmp_path, memory_mb=0.001):
        raise AssertionError("it was opened")

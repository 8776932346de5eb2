import itertools
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from augment.problem import Problem, ProblemError, Shape
from workloads.energon.memory import KEPT_BLOCK
from workloads.energon.rank_errors import PassError
from workloads.energon.session import EnergonJob
from workloads.protocol import PhaseName, Session, Surroundings, Told
from workloads.telling import TellingJob, TellingSession
from workloads.transformer.kv_cache import BLOCK


class Alone:
    """A gradient exchange of nobody."""

    def attach(self, model: Any) -> Any:
        raise AssertionError("inference has no gradients")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads cost tiny products more than they gain."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def problem(**sizes: int | str) -> Problem:
    usual: dict[str, int | str] = {"layers": 2, "hidden": 16, "heads": 2, "vocab": 31}
    data: dict[str, int | str] = {"sequence": 10, "valid_percent": 70, "batches": 2}
    for name, value in sizes.items():
        (data if name in (*data, "packed", "new_tokens") else usual)[name] = value
    return Problem(data=Shape.of(data), model=Shape.of(usual))


@contextmanager
def session(of: Problem, folder: Path, **changes: Any) -> Iterator[Session[Any]]:
    ticks = itertools.count(step=1000)
    usual: dict[str, Any] = {
        "rank": 0,
        "num_ranks": 1,
        "device": "cpu",
        "precision": "float64",
        "batch_per_rank": 2,
        "seed": 1,
        "data_folder": folder,
        "exchange": Alone(),
        "clock": lambda: next(ticks),
    }
    opened = EnergonJob().prepare(of, Surroundings(**{**usual, **changes}))
    try:
        yield opened
    finally:
        opened.close()


def outputs(of: Problem, folder: Path, num_steps: int = 2, **changes: Any) -> list[float]:
    with session(of, folder, **changes) as opened:
        return [float(opened.step(opened.produce(step), lambda _: None)) for step in range(num_steps)]


def noted(*told: Told) -> Mapping[str, str]:
    job = EnergonJob()
    assert isinstance(job, TellingJob)
    return job.notes(told)


def test_a_seed_gives_the_same_answers_again_and_another_seed_others(tmp_path: Path) -> None:
    of = problem(new_tokens=2)
    assert outputs(of, tmp_path) == outputs(of, tmp_path)
    assert outputs(of, tmp_path) != outputs(of, tmp_path, seed=2)


def test_replicas_side_by_side_work_on_tokens_of_their_own(tmp_path: Path) -> None:
    first, second = (outputs(problem(), tmp_path, rank=rank, num_ranks=2) for rank in (0, 1))
    assert not set(first) & set(second)


@pytest.mark.parametrize("sizes", [{}, {"new_tokens": 2}, {"packed": 0, "new_tokens": 1}, {"family": "bert"}])
def test_parked_layers_answer_as_those_that_stay(sizes: dict[str, Any], tmp_path: Path) -> None:
    assert outputs(problem(**sizes, parked=1), tmp_path) == outputs(problem(**sizes), tmp_path)
    assert not list(tmp_path.rglob("*"))


def test_a_rank_alone_computes_and_speaks_with_nobody(tmp_path: Path) -> None:
    marks: list[PhaseName] = []
    with session(problem(new_tokens=1), tmp_path) as opened:
        opened.step(opened.produce(0), marks.append)
    assert set(marks) == {"forward"}


def test_a_session_tells_latencies_of_the_steps_that_were_asked_for(tmp_path: Path) -> None:
    with session(problem(new_tokens=3), tmp_path) as opened:
        assert isinstance(opened, TellingSession)
        for step in range(4):
            opened.step(opened.produce(step), lambda _: None)
        notes = noted(opened.tell(2))
    # The clock ticks once at the begin of a pass and once at its answer: 8 passes of 2 ticks a step.
    told = {name: int(value) for name, value in notes.items() if name.endswith("_ns")}
    assert told["prompt_pass_p50_ns"] == told["decode_pass_p99_ns"] == 1000
    assert told["first_token_p50_ns"] == 1000
    assert told["first_token_p99_ns"] == 3000
    real, new, ticks = 28 + 12, 12, 2 * 8 - 1
    assert float(notes["tokens_per_s"]) == pytest.approx(real / (ticks * 1e-6), rel=1e-5)
    assert float(notes["new_tokens_per_s"]) == pytest.approx(new / (ticks * 1e-6), rel=1e-5)


def test_every_replica_tells_and_the_notes_are_of_all(tmp_path: Path) -> None:
    """Of two replicas of one rank each, whose clocks tick alike."""
    told = []
    for rank in (0, 1):
        with session(problem(), tmp_path, rank=rank, num_ranks=2) as opened:
            assert isinstance(opened, TellingSession)
            opened.step(opened.produce(0), lambda _: None)
            told.append(opened.tell(1))
    one, both = (float(noted(*each)["tokens_per_s"]) for each in (told[:1], told))
    assert both == pytest.approx(2 * one, rel=1e-5)


def test_a_session_without_new_tokens_tells_of_no_first_one(tmp_path: Path) -> None:
    with session(problem(family="bert"), tmp_path) as opened:
        assert isinstance(opened, TellingSession)
        opened.step(opened.produce(0), lambda _: None)
        assert not [name for name in noted(opened.tell(1)) if "first" in name or "decode" in name]


def test_an_answer_that_is_no_number_reaches_the_caller(tmp_path: Path) -> None:
    """The harness ends a point whose number is not finite; it must see it."""
    with session(problem(), tmp_path) as opened, torch.no_grad():
        weights = opened._runner._stage.ends  # type: ignore[attr-defined]
        next(iter(weights.values())).fill_(float("nan"))
        assert math.isnan(opened.step(opened.produce(0), lambda _: None))


def test_a_pass_that_fails_is_an_error_with_its_reason(tmp_path: Path) -> None:
    with session(problem(), tmp_path) as opened:
        batch = tuple(tokens + 1_000_000 for tokens in opened.produce(0))
        with pytest.raises(PassError, match="rank 0"):
            opened.step(batch, lambda _: None)


def test_an_unknown_precision_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="'float8' is unknown; use float32, bfloat16"):
        outputs(problem(), tmp_path, precision="float8")


def test_kept_tokens_are_counted_in_the_blocks_of_the_cache() -> None:
    assert KEPT_BLOCK == BLOCK

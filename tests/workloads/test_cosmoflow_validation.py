"""Studies: what they learn from, how ranks share them, and that a killed one goes on as if nothing was."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributed

from augment.problem import Problem, Shape
from benchmarks.forked_ranks import on_ranks
from cosmology.slabs.crew import Crew
from cosmology.slabs.memory import rank_memory_bytes
from tests.workloads.learning_samples import examples
from workloads.cosmoflow.examples import MAX_BYTES
from workloads.cosmoflow.gate_tasks import Case, Task, tasks_of
from workloads.cosmoflow.gate_verdicts import verdicts
from workloads.cosmoflow.learning import LearningPlan
from workloads.cosmoflow.members import PLAIN, member
from workloads.cosmoflow.problem_data import definition_of
from workloads.cosmoflow.recipe import standard_plan
from workloads.cosmoflow.study_notes import keep, kept
from workloads.cosmoflow.study_subject import LEAST_UNIVERSES, Budget, Subject, subject_of
from workloads.cosmoflow.study_training import Course, Desk, Stop, step_s, train
from workloads.cosmoflow.validation import _held_bytes, _share, validate
from workloads.means import Means
from workloads.protocol import Told
from workloads.steady_clock import steady_ns
from workloads.studying import Study


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def problem(resolution: int = 16, universes: int = 64, *, depth: int = 2, width: int = 4) -> Problem:
    data = Shape.of(samples=2 * universes, resolution=resolution, channels=2, universes=universes)
    return Problem(data=data, model=Shape.of(depth=depth, width=width))


def budget(duration_s: float, num_ranks: int = 1) -> Budget:
    return Budget(duration_s=duration_s, num_ranks=num_ranks, is_on_gpu=False)


def desk(folder: Path, *, told: list[str] | None = None, deadline_ns: int = 2**62) -> Desk:
    progress = (told if told is not None else []).append
    return Desk(folder=folder, device="cpu", clock=steady_ns, deadline_ns=deadline_ns, progress=progress)


def plan(num_steps: int = 30) -> LearningPlan:
    return standard_plan(member(8, 2, 1, 4), num_steps=num_steps, seed=1, batch=8)


def test_a_problem_that_can_be_learnt_is_learnt_itself() -> None:
    asked = problem()
    found = subject_of(asked, budget(1e6), has_data=True)
    assert not found.is_twin
    assert found.train == definition_of(asked)
    assert found.architecture == member(16, 2, 2, 4)
    assert not set(found.train.universe_numbers) & set(found.judged.universe_numbers)


@pytest.mark.parametrize(
    ("asked", "duration_s", "why"),
    [
        (problem(universes=2), 1e6, "2 universes are too few"),
        (problem(resolution=128), 600.0, "data would take"),
        (problem(resolution=64, width=512), 1e6, "could not be trained"),
    ],
)
def test_what_cannot_be_learnt_here_has_a_twin_of_the_same_network(
    asked: Problem, duration_s: float, why: str
) -> None:
    found = subject_of(asked, budget(duration_s), has_data=False)
    assert found.is_twin
    assert why in found.words
    assert (found.depth, found.width) == (asked.model["depth"], asked.model["width"])
    side = int(asked.data["resolution"])
    assert found.train.resolution == min(side, max(side // 4, 16))
    assert found.train.is_whole_box
    assert found.train.num_channels == 2
    assert found.can_be_learnt_from


@given(st.floats(1, 1e5), st.integers(1, 64))
def test_the_data_of_a_twin_grow_with_the_budget_and_never_beyond_it(duration_s: float, ranks: int) -> None:
    spending = budget(duration_s, ranks)
    found = subject_of(problem(resolution=512), spending, has_data=False)
    assert found.is_twin
    least = 2 + 8
    per_universe = found.train.num_particle_steps / found.train.num_universes
    assert found.particle_steps <= max(spending.particle_steps, least * per_universe) or (
        found.judged.num_universes == 8
    )


@given(st.lists(st.floats(0.01, 2), max_size=12), st.integers(1, 9))
def test_ranks_share_all_tasks_and_none_twice(weights: list[float], num_ranks: int) -> None:
    tasks = [
        Task(name=f"{number}", weight=weight, work=lambda _case, _desk: {})
        for number, weight in enumerate(weights)
    ]
    shares = [task.name for rank in range(num_ranks) for task in _share(tasks, rank, num_ranks)]
    assert sorted(shares) == sorted(task.name for task in tasks)


@pytest.mark.slow
def test_a_training_that_was_stopped_goes_on_as_if_it_never_was(tmp_path: Path) -> None:
    seen, judged = examples(24), examples(8, seed=9)
    whole = train("one", plan(), seen, judged, desk(tmp_path / "whole"))
    parts = tmp_path / "parts"
    for enough in (1, 7, 19):
        stopped = train("one", plan(), seen, judged, desk(parts), stop=_after(enough))
        assert enough <= stopped.num_steps < 30
        assert stopped.error is None
    again = train("one", plan(), seen, judged, desk(parts))
    assert again == whole
    assert len(whole.checks) == 10
    assert whole.num_steps == 30


@pytest.mark.slow
def test_a_training_whose_files_are_damaged_begins_anew(tmp_path: Path) -> None:
    seen, judged = examples(24), examples(8, seed=9)
    whole = train("one", plan(), seen, judged, desk(tmp_path / "whole"))
    for ending in ("course", "safetensors"):
        folder = tmp_path / ending
        train("one", plan(), seen, judged, desk(folder), stop=_after(9))
        path = folder / f"one.{ending}"
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert train("one", plan(), seen, judged, desk(folder)) == whole


def test_a_training_ends_with_the_time_and_says_how_far_it_came(tmp_path: Path) -> None:
    told: list[str] = []
    train("first", plan(1), examples(24), examples(8, seed=9), desk(tmp_path))  # torch starts slowly
    late = desk(tmp_path, told=told, deadline_ns=steady_ns() + 500_000_000)
    course = train("one", plan(100_000), examples(24), examples(8, seed=9), late)
    assert 0 < course.num_steps < 100_000
    assert course.error is None
    assert told[-1] == f"one: step {course.num_steps} of 100000"


def test_a_step_takes_time(tmp_path: Path) -> None:
    assert 1e-6 < step_s(plan(4), examples(24), "cpu", desk(tmp_path).clock) < 60


def test_notes_are_kept_whole_or_count_as_absent(tmp_path: Path) -> None:
    assert kept(tmp_path, "a") is None
    keep(tmp_path, "a", {"error": 0.25})
    assert kept(tmp_path, "a") == {"error": 0.25}
    path = tmp_path / "a.note.json"
    path.write_bytes(path.read_bytes().replace(b"0.25", b"0.15"))
    assert kept(tmp_path, "a") is None


@pytest.mark.slow
def test_a_study_that_is_done_already_is_told_again_and_one_of_another_seed_is_made_anew(
    tmp_path: Path,
) -> None:
    data = Shape.of(samples=2, resolution=8, channels=2, universes=2, steps=4)
    asked = Problem(data=data, model=Shape.of(depth=1, width=2))
    first = Study(
        rank=0,
        num_ranks=1,
        device="cpu",
        seed=0,
        data_folder=tmp_path,
        folder=tmp_path / "work",
        budget_s=1.0,
        gather=lambda told: [told],
        progress=lambda _text: None,
    )
    first.folder.mkdir()
    told = validate(asked, first)
    assert json.loads(json.dumps(told)) == told
    assert [gate["name"] for gate in told["gates"]] == [f"G{number}" for number in range(9)]
    assert validate(asked, first) == told  # with the very durations that were kept
    other = validate(asked, replace(first, seed=1))
    starts = [found["gates"][0]["figures"] for found in (told, other)]
    assert starts[0] != starts[1]
    assert other["gates"][8]["verdict"] == "passed"


@pytest.mark.slow
def test_ranks_that_lack_memory_make_the_universes_of_a_study_together(tmp_path: Path) -> None:
    """Each has memory for half a universe: alone it refuses, two share each."""
    asked = Problem(
        data=Shape.of(samples=2, resolution=8, channels=2, universes=2, steps=4),
        model=Shape.of(depth=1, width=2),
    )
    subject = subject_of(asked, budget(1.0, num_ranks=2), has_data=False)
    universes = subject.train.universes
    memory_bytes = rank_memory_bytes(universes, 2)
    assert memory_bytes < rank_memory_bytes(universes, 1)
    (alone,) = on_ranks(1, tmp_path / "alone", study_with, asked, tmp_path / "one", memory_bytes)
    assert alone.startswith("DatasetError: a universe of")
    assert "use more ranks" in alone
    both = on_ranks(2, tmp_path / "two", study_with, asked, tmp_path / "both", memory_bytes)
    assert all(isinstance(told, list) for told in both), both
    ready = [text for text in both[0] if "is ready" in text]
    assert len(ready) == subject.train.num_universes + subject.judged.num_universes
    assert all("on ranks 0 to 1" in text for text in ready)


def study_with(crew: Crew, asked: Problem, folder: Path, memory_bytes: int) -> list[str]:
    """What a rank told while it studied with so much memory."""
    told: list[str] = []

    def gather(own: Told) -> Sequence[Told]:
        found: list[Told] = [{}] * crew.num_ranks
        distributed.all_gather_object(found, own)
        return found

    (folder / "work").mkdir(parents=True, exist_ok=True)
    study = Study(
        rank=crew.rank,
        num_ranks=crew.num_ranks,
        device="cpu",
        seed=0,
        data_folder=folder,
        folder=folder / "work",
        budget_s=1.0,
        gather=gather,
        progress=told.append,
        means=Means(memory_bytes=memory_bytes, join=lambda _: crew.group),
    )
    validate(asked, study)
    return told


def test_a_problem_that_a_rank_has_not_the_memory_for_has_a_twin() -> None:
    asked, spending = problem(), budget(1e6)
    num_bytes = definition_of(asked).dataset_bytes
    assert not subject_of(asked, replace(spending, held_bytes=num_bytes), has_data=True).is_twin
    found = subject_of(asked, replace(spending, held_bytes=num_bytes - 1), has_data=True)
    assert found.is_twin
    assert "more than a study holds in memory" in found.words


@pytest.mark.parametrize(
    ("device", "memory_bytes", "held_bytes"),
    [("cpu", 3 << 30, 1 << 30), ("cpu", 1 << 40, MAX_BYTES), ("cuda:0", 1 << 20, MAX_BYTES)],
)
def test_a_rank_holds_no_more_samples_than_its_part_of_the_node_has_room_for(
    tmp_path: Path, device: str, memory_bytes: int, held_bytes: int
) -> None:
    """The memory that a rank on a GPU may take is that of its GPU, where no samples are held."""
    study = Study(
        rank=0,
        num_ranks=1,
        device=device,
        seed=0,
        data_folder=tmp_path,
        folder=tmp_path,
        budget_s=1.0,
        gather=lambda told: [told],
        progress=lambda _text: None,
        means=Means(memory_bytes=memory_bytes),
    )
    assert _held_bytes(study) == held_bytes


def case(num_universes: int, tmp_path: Path) -> Case:
    data = Shape.of(samples=2 * num_universes, resolution=8, channels=2, universes=num_universes)
    definition = definition_of(Problem(data=data, model=Shape.of(depth=1, width=4)))
    subject = Subject(
        train=definition, judged=definition, depth=1, width=4, options=PLAIN, is_twin=False, words="made up"
    )
    return Case(
        subject=subject,
        seen=examples(num_universes, per_universe=2),
        judged=examples(24, seed=8),
        seed=1,
        data_folder=tmp_path,
    )


def found_by(tasks: list[Task], of: Case, folder: Path) -> dict[str, dict[str, object]]:
    """What each task finds; the data of these samples are in no file."""
    found = {
        task.name: {**task.work(of, desk(folder)), "duration_s": 1.0} for task in tasks if task.name != "data"
    }
    return {**found, "data": {"checked": ["made up"], "faults": [], "figures": {}, "duration_s": 0.0}}


@pytest.mark.slow
def test_a_problem_that_can_be_learnt_passes_and_one_with_shuffled_labels_does_not(tmp_path: Path) -> None:
    learnable = case(48, tmp_path)
    assert learnable.subject.can_be_learnt_from
    tasks = tasks_of(learnable, 120)
    assert {task.name for task in tasks} >= {"main", "shuffled", "half", "quarter", "one-redshift"}
    gates = {
        gate.name: gate for gate in verdicts(learnable, 120, 60.0, found_by(tasks, learnable, tmp_path / "a"))
    }
    assert [gates[name].verdict for name in ("G0", "G1", "G2", "G3", "G4", "G8")] == ["passed"] * 6, gates
    assert all(gates[name].verdict != "not run" for name in ("G5", "G6", "G7")), gates
    empty = replace(learnable, seen=learnable.seen.with_shuffled_targets(3))
    tasks = [task for task in tasks_of(empty, 60) if task.name in ("start", "baselines", "overfit", "main")]
    found = found_by(tasks, empty, tmp_path / "b")
    absent = Course(planned_steps=60)
    found |= {"shuffled": {"error": absent.error, "losses": [], "duration_s": 0.0}}
    gates = {gate.name: gate for gate in verdicts(empty, 60, 60.0, found)}
    assert gates["G3"].verdict == "failed", gates["G3"]
    assert "2 starts" in gates["G3"].statement
    assert gates["G5"].verdict == "not run"
    assert "plateau" in gates["G5"].statement


def test_too_few_universes_are_said_to_be_the_reason(tmp_path: Path) -> None:
    few = case(4, tmp_path)
    tasks = [task for task in tasks_of(few, 0) if task.name != "overfit"]
    found = found_by(tasks, few, tmp_path) | {"overfit": {"samples": 4, "duration_s": 0.0}}
    gates = {gate.name: gate for gate in verdicts(few, 0, 60.0, found)}
    for name in ("G3", "G4", "G5", "G6", "G7"):
        assert gates[name].verdict == "not run"
        assert f"at least {LEAST_UNIVERSES}" in gates[name].statement
    assert gates["G0"].verdict == "passed"
    assert "too few for a ridge" in gates["G2"].statement


def _after(num_steps: int) -> Stop:
    return lambda course: course.num_steps >= num_steps

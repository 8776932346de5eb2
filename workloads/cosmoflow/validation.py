"""Is a problem worth learning: its gates, shared among ranks, each done once whatever was killed.

Every rank makes its part of the data, then works on its own tasks; what a task finds is kept in the study's
folder as soon as it is there. In the end all ranks know everything, and judge it alike.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from augment.problem import Problem
from cosmology.dataset import open_dataset
from cosmology.definition import DatasetDefinition
from cosmology.generation import complete, is_complete, seal
from workloads.cosmoflow import gate_tasks as tasks
from workloads.cosmoflow.data_making import resources_of
from workloads.cosmoflow.examples import MAX_BYTES, Examples, read_examples
from workloads.cosmoflow.gate_verdicts import verdicts
from workloads.cosmoflow.gates import REQUIRED, TWIN_REQUIRED
from workloads.cosmoflow.problem_data import definition_of
from workloads.cosmoflow.study_notes import Note, keep, kept
from workloads.cosmoflow.study_subject import BATCH, LEAST_STEPS, Budget, Subject, subject_of
from workloads.cosmoflow.study_training import Desk
from workloads.protocol import ReadClock, Told
from workloads.steady_clock import steady_ns
from workloads.studying import Study

_LATENESS = 1.6
"""Of the time that is left once data are there, learning may take so much where ranks turn out slow."""
_LEAST_SHARE = 0.5
"""Of the budget is for learning at least, however long the data took."""
_USED_FOR_TRAINING = 0.75
"""Of the time that is left once data are there; the rest is for judging, and for trying a second start."""
_MOST_STEPS = 10_000
"""Of a training, or 20 passes over its samples where those are more."""
_MOST_EPOCHS = 20
_HELD_SHARE = 3
"""Of a rank's memory: the rest is for what judges, for copies of some samples, and for training."""
_CASE, _HAS_DATA = "case", "decided-data"
_MOST_JUDGED = 512
"""Samples are enough to judge by."""


def validate(problem: Problem, study: Study, clock: ReadClock = steady_ns) -> Told:
    """Every gate of the problem, or of its twin; see ``gates``. All ranks call it and get the same.

    Raises:
        ProblemError: when the problem cannot be built.
        DatasetError: when data cannot be made or read.
    """
    begin_ns = clock()
    subject = _subject(problem, study)
    _forget_others(subject, study)
    study.progress(f"making data: {subject.words}")
    for definition in (subject.train, subject.judged):
        _make(definition, study)
    seen, judged = (_read(definition, study) for definition in (subject.train, subject.judged))
    judged = judged.rows(range(min(len(judged), _MOST_JUDGED)))
    case = tasks.Case(
        subject=subject, seen=seen, judged=judged, seed=study.seed, data_folder=study.data_folder
    )
    # Where data took longer than they should, learning still gets its part.
    left_s = max(study.budget_s - (clock() - begin_ns) / 1e9, _LEAST_SHARE * study.budget_s)
    desk = Desk(
        folder=study.folder,
        device=study.device,
        clock=clock,
        deadline_ns=clock() + round(_LATENESS * left_s * 1e9),
        progress=study.progress,
    )
    decide = partial(_num_steps, case, desk, left_s, study.num_ranks)
    num_steps = int(_agreed(study, "decided-steps", decide)["steps"])
    found = _found(tasks.tasks_of(case, num_steps), case, desk, study)
    return {
        "subject": subject.words,
        "is_twin": subject.is_twin,
        "required": list(TWIN_REQUIRED if subject.is_twin else REQUIRED),
        "gates": [gate.told for gate in verdicts(case, num_steps, study.budget_s, found)],
    }


def _subject(problem: Problem, study: Study) -> Subject:
    """What is studied: decided once, by one rank, for its answer rests on what data are there."""

    def decide() -> Note:
        return {"has_data": is_complete(definition_of(problem), study.data_folder)}

    has_data = bool(_agreed(study, _HAS_DATA, decide)["has_data"])
    budget = Budget(
        duration_s=study.budget_s,
        num_ranks=study.num_ranks,
        is_on_gpu=study.device.startswith("cuda"),
        held_bytes=_held_bytes(study),
    )
    return subject_of(problem, budget, has_data=has_data)


def _forget_others(subject: Subject, study: Study) -> None:
    """What a killed study of another seed, budget or twin left is of no use here."""
    case = {
        "train": subject.train.dataset_id,
        "judged": subject.judged.dataset_id,
        "seed": study.seed,
        "budget_s": study.budget_s,
    }
    if study.rank == 0 and kept(study.folder, _CASE) != case:
        before = kept(study.folder, _HAS_DATA)
        for path in study.folder.iterdir():
            path.unlink()
        keep(study.folder, _CASE, case)
        keep(study.folder, _HAS_DATA, before or {})
    study.gather({})


def _agreed(study: Study, name: str, decide: Callable[[], Note]) -> Note:
    """What rank 0 decided when the study was begun, on all ranks."""
    note: Note = {}
    if study.rank == 0:
        before = kept(study.folder, name)
        note = decide() if before is None else before
        keep(study.folder, name, note)
    return study.gather(note)[0]


def _make(definition: DatasetDefinition, study: Study) -> None:
    """A data set, made by all ranks where it is missing."""
    study.gather({})  # who failed before would be missing among those that share a universe
    resources = resources_of(study.means)
    complete(definition, study.data_folder, study.rank, study.num_ranks, study.progress, resources=resources)
    study.gather({})
    if study.rank == 0:
        seal(definition, study.data_folder)
    study.gather({})


def _read(definition: DatasetDefinition, study: Study) -> Examples:
    """A data set in memory."""
    with open_dataset(definition, study.data_folder) as dataset:
        return read_examples(dataset, most_bytes=_held_bytes(study))


def _held_bytes(study: Study) -> int:
    """How much this rank holds of a data set: others on its node hold as much."""
    if study.device != "cpu":  # what is free on a GPU says nothing of its host
        return MAX_BYTES
    return min(MAX_BYTES, study.means.memory_bytes // _HELD_SHARE)


def _num_steps(case: tasks.Case, desk: Desk, left_s: float, num_ranks: int) -> Note:
    """Steps of the training that counts; 0 where nothing can be learnt in the time that is left."""
    if not case.subject.can_be_learnt_from or len(case.seen) < BATCH:
        return {"steps": 0}
    one_s = tasks.main_step_s(case, desk)
    loads = [0.0] * num_ranks
    for weight in sorted(tasks.weights(case), reverse=True):
        loads[loads.index(min(loads))] += weight
    affordable = int(_USED_FOR_TRAINING * left_s / (max(loads) * one_s))
    num_steps = min(affordable, max(_MOST_STEPS, _MOST_EPOCHS * len(case.seen) // BATCH))
    return {"steps": num_steps if num_steps >= LEAST_STEPS else 0}


def _found(asked: Sequence[tasks.Task], case: tasks.Case, desk: Desk, study: Study) -> Mapping[str, Note]:
    """What every task found, by its name, on all ranks; this rank works on its own."""
    own: dict[str, Note] = {}
    for task in _share(asked, study.rank, study.num_ranks):
        note = kept(desk.folder, task.name)
        if note is None:
            begin_ns = desk.clock()
            note = {**task.work(case, desk), "duration_s": (desk.clock() - begin_ns) / 1e9}
            keep(desk.folder, task.name, note)
        own[task.name] = note
    return {name: note for told in study.gather(own) for name, note in told.items()}


def _share(asked: Sequence[tasks.Task], rank: int, num_ranks: int) -> list[tasks.Task]:
    """The tasks of one rank: the longest go first, each to the rank with the least to do."""
    loads, own = [0.0] * num_ranks, []
    for task in sorted(asked, key=lambda one: (-one.weight, one.name)):
        place = loads.index(min(loads))
        loads[place] += task.weight
        if place == rank:
            own.append(task)
    return own

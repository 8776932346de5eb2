"""What is done for the gates: probing, baselines, checks of the data, and one training for each question."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np

from cosmology.architecture import MIN_RESOLUTION, Architecture
from workloads.cosmoflow.baselines import FEWEST_UNIVERSES, constant_errors, fit_ridge
from workloads.cosmoflow.data_checks import check_data
from workloads.cosmoflow.examples import Examples
from workloads.cosmoflow.gates import ESCAPE_SHARE
from workloads.cosmoflow.learning import Augmentation, Learner, LearningPlan
from workloads.cosmoflow.optimizers import Optimizer
from workloads.cosmoflow.probe import probe
from workloads.cosmoflow.recipe import standard_plan, standard_rate
from workloads.cosmoflow.study_notes import Note
from workloads.cosmoflow.study_subject import BATCH, Subject
from workloads.cosmoflow.study_training import Course, Desk, step_s, train

OVERFIT_SAMPLES, OVERFIT_STEPS = 32, 200
FEWEST_OVERFIT = 8
NUM_STARTS = 2
"""A training that rests on the plateau is begun once more from other weights."""
_OVERFIT_WARM_UP = 10
_PIECE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is studied, in memory."""

    subject: Subject
    seen: Examples
    judged: Examples
    seed: int
    data_folder: Path

    @property
    def constant(self) -> float:
        """Error of the constant on the universes that judge."""
        return fmean(constant_errors(self.seen, self.judged))


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One piece of work that one rank does alone."""

    name: str
    weight: float
    """How long it takes, in trainings."""
    work: Callable[[Case, Desk], Note]


def tasks_of(case: Case, num_steps: int) -> list[Task]:
    """Everything to be done; trainings of ``num_steps`` only where there are any."""
    found = [
        Task(name="start", weight=0.01, work=_start),
        Task(name="baselines", weight=0.05, work=_baselines),
        Task(name="data", weight=0.05, work=_data),
        Task(name="overfit", weight=0.3, work=_overfit),
    ]
    if not num_steps:
        return found
    found.append(Task(name="main", weight=1.0, work=partial(_main, num_steps=num_steps)))
    found.append(Task(name="shuffled", weight=0.5, work=partial(_shuffled, num_steps=num_steps // 2)))
    for name, weight, part in _parts(case):
        work = partial(_part, name=name, part=part, num_steps=num_steps)
        found.append(Task(name=name, weight=weight, work=work))
    return found


def weights(case: Case) -> list[float]:
    """How long the trainings take, in units of the one whose error counts."""
    return [1.0, 0.5, 0.3, *(weight for _, weight, _ in _parts(case))]


def main_step_s(case: Case, desk: Desk) -> float:
    """How long a step of the training takes whose error counts [s]."""
    return step_s(_plan(case, case.subject.architecture, 4), case.seen, desk.device, desk.clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Less of the data, and the network for it."""

    architecture: Architecture
    seen: Examples
    judged: Examples


def _parts(case: Case) -> list[tuple[str, float, Callable[[Case], _Part]]]:
    """Smaller data sets that are learnt from beside the whole, with the weights of their trainings."""
    found: list[tuple[str, float, Callable[[Case], _Part]]] = [
        ("half", 1.0, partial(_fewer_universes, share=2)),
        ("quarter", 1.0, partial(_fewer_universes, share=4)),
    ]
    if case.subject.train.num_channels > 1:
        found.append(("one-redshift", 1.0, _one_redshift))
    if case.subject.train.resolution >= 2 * MIN_RESOLUTION:
        found.append(("half-side", 0.125, _half_side))
    return found


def _fewer_universes(case: Case, *, share: int) -> _Part:
    """The first universes: their parameters are spread as evenly as those of all."""
    numbers = np.unique(case.seen.universes).tolist()
    seen = case.seen.of_universes(numbers[: max(1, len(numbers) // share)])
    return _Part(architecture=case.subject.architecture, seen=seen, judged=case.judged)


def _one_redshift(case: Case) -> _Part:
    architecture = case.subject.architecture_for(case.subject.train.resolution, 1)
    seen, judged = (replace(some, counts=some.counts[:, :1]) for some in (case.seen, case.judged))
    return _Part(architecture=architecture, seen=seen, judged=judged)


def _half_side(case: Case) -> _Part:
    """The middle of each sample, in the same voxels."""
    half = case.subject.train.resolution // 2
    window = (slice(None), slice(None), *[slice(half // 2, half // 2 + half)] * 3)
    seen, judged = (
        replace(some, counts=some.counts[window], is_periodic=False) for some in (case.seen, case.judged)
    )
    architecture = case.subject.architecture_for(half, case.subject.train.num_channels)
    return _Part(architecture=architecture, seen=seen, judged=judged)


def _start(case: Case, desk: Desk) -> Note:
    return asdict(probe(case.subject.architecture, case.seen, seed=case.seed, device=desk.device))


def _baselines(case: Case, _desk: Desk) -> Note:
    num_universes = len(np.unique(case.seen.universes))
    known = {
        "constant": case.constant,
        "seen": num_universes,
        "judged": len(np.unique(case.judged.universes)),
    }
    if num_universes < FEWEST_UNIVERSES:
        return known
    ridge = fit_ridge(case.seen)
    return {**known, "ridge": fmean(ridge.mean_absolute_errors(case.judged)), "penalty": ridge.penalty}


def _data(case: Case, _desk: Desk) -> Note:
    subject = case.subject
    checks = check_data(case.data_folder, [(subject.train, case.seen), (subject.judged, case.judged)])
    return asdict(checks)


def _overfit(case: Case, desk: Desk) -> Note:
    """A few samples without views or decay; without an error where the time was over."""
    some = case.seen.rows(range(min(OVERFIT_SAMPLES, len(case.seen))))
    if len(some) < FEWEST_OVERFIT:
        return {"samples": len(some)}
    architecture = case.subject.architecture
    plan = LearningPlan(
        architecture=architecture,
        learning_rate=standard_rate(architecture),
        batch=len(some),
        num_steps=OVERFIT_STEPS,
        warm_up_steps=_OVERFIT_WARM_UP,
        optimizer=Optimizer.ADAM,
        augmentation=Augmentation.NONE,
        seed=case.seed,
    )
    learner = Learner(plan, some, desk.device)
    while learner.num_steps_done < OVERFIT_STEPS:
        if desk.is_late:
            return {"samples": len(some)}
        learner.advance(_PIECE)
        desk.progress(f"overfit: step {learner.num_steps_done} of {OVERFIT_STEPS}")
    error = fmean(learner.mean_absolute_errors(some))
    return {"samples": len(some), "error": error if math.isfinite(error) else None}


def _main(case: Case, desk: Desk, *, num_steps: int) -> Note:
    """The training whose error counts; begun anew where it rests on the plateau."""
    is_stuck = partial(_is_stuck, constant=case.constant)
    start, course = 0, Course(planned_steps=num_steps)
    for start in range(NUM_STARTS):
        plan = _plan(case, case.subject.architecture, num_steps, start)
        course = train(f"main-{start}", plan, case.seen, case.judged, desk, stop=is_stuck)
        if not is_stuck(course):
            break
    return {"starts": start + 1, **_noted(course)}


def _shuffled(case: Case, desk: Desk, *, num_steps: int) -> Note:
    seen = case.seen.with_shuffled_targets(case.seed)
    plan = _plan(case, case.subject.architecture, num_steps)
    return _noted(train("shuffled", plan, seen, case.judged, desk))


def _part(case: Case, desk: Desk, *, name: str, part: Callable[[Case], _Part], num_steps: int) -> Note:
    less = part(case)
    # A part may be less than a batch: then each step sees all of it.
    plan = replace(_plan(case, less.architecture, num_steps), batch=min(BATCH, len(less.seen)))
    return _noted(train(name, plan, less.seen, less.judged, desk))


def _plan(case: Case, architecture: Architecture, num_steps: int, start: int = 0) -> LearningPlan:
    return standard_plan(architecture, num_steps=num_steps, seed=case.seed + start, batch=BATCH)


def _is_stuck(course: Course, *, constant: float) -> bool:
    """Whether half of a training did not get below the constant's error."""
    half = course.planned_steps // 2
    return course.num_steps > half and course.least_error(half + 1) >= ESCAPE_SHARE * constant


def _noted(course: Course) -> Note:
    """The course as plain values; a loss that is no number is told as None."""
    losses = [loss if math.isfinite(loss) else None for loss in course.losses]
    checks = [[step, error] for step, error in course.checks if math.isfinite(error)]
    return {**asdict(course), "losses": losses, "checks": checks}

"""Trainings of a study: each goes on where a killed one stopped, and stops when the time is over."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean

from safetensors import SafetensorError

from cosmology.durable_file import durable_file
from workloads.cosmoflow.examples import Examples
from workloads.cosmoflow.learning import Learner, LearningPlan
from workloads.protocol import Progress, ReadClock

NUM_CHECKS = 10
"""How often during a training the error on other universes is taken."""
_PIECE_S = 2.0
"""About how long a training goes on before it tells and looks at the clock."""
_SAVE_S = 15.0
"""At most so much is trained again after a kill."""
_NUM_VIEWS = 4
"""Symmetric views of a sample whose mean is the answer that counts at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a training went, as far as it came."""

    planned_steps: int
    losses: tuple[float, ...] = ()
    checks: tuple[tuple[int, float], ...] = ()
    """Steps done, and the error on other universes then."""
    train_error: float | None = None
    """At the end, on samples learnt from."""
    error: float | None = None
    """At the end, on other universes."""

    @property
    def num_steps(self) -> int:
        """Steps that were done."""
        return len(self.losses)

    @property
    def is_broken(self) -> bool:
        """Whether a loss was no number, so that nothing more can be learnt."""
        return bool(self.losses) and not math.isfinite(self.losses[-1])

    def least_error(self, within_steps: int) -> float:
        """The least error of the checks within the first steps; 1 where none was made."""
        return min((error for step, error in self.checks if step <= within_steps), default=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where a rank trains: its files, its device, and how long."""

    folder: Path
    device: str
    clock: ReadClock
    deadline_ns: int
    progress: Progress

    @property
    def is_late(self) -> bool:
        """Whether the time is over."""
        return self.clock() > self.deadline_ns


Stop = Callable[[Course], bool]


def to_the_end(_course: Course) -> bool:
    """However it goes."""
    return False


def train(
    name: str, plan: LearningPlan, seen: Examples, judged: Examples, desk: Desk, *, stop: Stop = to_the_end
) -> Course:
    """Learn from ``seen``, judged by ``judged`` now and then, until the plan, ``stop`` or the time ends it.

    Raises:
        ProblemError: when there are fewer samples than a batch.
    """
    learner, course = _restored(name, plan, seen, desk)
    pace = _Pace(desk.clock)
    while course.num_steps < plan.num_steps and not (desk.is_late or course.is_broken or stop(course)):
        mark = _next_check(course.num_steps, plan.num_steps)
        losses = learner.advance(min(pace.num_steps(), mark - course.num_steps))
        course = replace(course, losses=(*course.losses, *losses))
        if course.num_steps == mark:
            check = mark, fmean(learner.mean_absolute_errors(judged))
            course = replace(course, checks=(*course.checks, check))
        desk.progress(f"{name}: step {course.num_steps} of {plan.num_steps}")
        if pace.is_time_to_save():
            _save(name, learner, course, desk.folder)
    _save(name, learner, course, desk.folder)
    if course.num_steps < plan.num_steps or course.is_broken:
        return course
    some = seen.rows(range(min(len(seen), len(judged))))
    return replace(
        course,
        train_error=fmean(learner.mean_absolute_errors(some, num_views=_NUM_VIEWS)),
        error=fmean(learner.mean_absolute_errors(judged, num_views=_NUM_VIEWS)),
    )


def step_s(plan: LearningPlan, seen: Examples, device: str, clock: ReadClock) -> float:
    """How long one step of a training takes now [s].

    Raises:
        ProblemError: when there are fewer samples than a batch.
    """
    learner = Learner(plan, seen, device)
    learner.advance(1)
    begin_ns = clock()
    learner.advance(2)
    return max((clock() - begin_ns) / 2e9, 1e-6)


class _Pace:
    """How many steps to go before the clock is looked at again, and when to save."""

    def __init__(self, clock: ReadClock) -> None:
        self._clock = clock
        self._asked_ns = self._saved_ns = clock()
        self._num_steps = 0

    def num_steps(self) -> int:
        """Steps for the next piece: one at first, then as many as the last pace makes in a piece."""
        now_ns = self._clock()
        taken_s = (now_ns - self._asked_ns) / 1e9
        self._asked_ns = now_ns
        if self._num_steps == 0:
            self._num_steps = 1
        elif taken_s < _PIECE_S / 2:
            self._num_steps *= 2
        elif taken_s > _PIECE_S * 2:
            self._num_steps = max(1, self._num_steps // 2)
        return self._num_steps

    def is_time_to_save(self) -> bool:
        """Whether the last save is long enough ago; counts as a save if so."""
        now_ns = self._clock()
        if (now_ns - self._saved_ns) / 1e9 < _SAVE_S:
            return False
        self._saved_ns = now_ns
        return True


def _next_check(num_done: int, num_steps: int) -> int:
    """The number of steps after which the error is taken next."""
    marks = (-(-place * num_steps // NUM_CHECKS) for place in range(1, NUM_CHECKS + 1))
    return next(mark for mark in marks if mark > num_done)


def _save(name: str, learner: Learner, course: Course, folder: Path) -> None:
    """The course before the weights: what it is ahead of them is cut off again on reading."""
    with durable_file(folder / f"{name}.course") as temporary:
        temporary.write_text(json.dumps(asdict(course)))
    learner.save(folder / f"{name}.safetensors")


def _restored(name: str, plan: LearningPlan, seen: Examples, desk: Desk) -> tuple[Learner, Course]:
    """A learner where a killed training stopped; at its begin where nothing whole was left."""
    learner = Learner(plan, seen, desk.device)
    try:
        kept = json.loads((desk.folder / f"{name}.course").read_text())
        learner.load(desk.folder / f"{name}.safetensors")
        course = Course(
            planned_steps=plan.num_steps,
            losses=tuple(float(loss) for loss in kept["losses"][: learner.num_steps_done]),
            checks=tuple(
                (int(at), float(error)) for at, error in kept["checks"] if at <= learner.num_steps_done
            ),
        )
    # Whatever is wrong with them: the training is made again from its begin, which gives the same.
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError):
        return Learner(plan, seen, desk.device), Course(planned_steps=plan.num_steps)
    return learner, course

"""The search for the fastest execution of a point: one setting after the other, against the fastest by then.

It begins with the plain execution and descends coordinate by coordinate. A candidate is timed in windows of
steps that alternate with windows of the fastest by then, so that drift of the machine takes part in both, and
is kept where it is faster beyond noise and its first losses are the plain ones within rounding. What cannot
be done fails by name, and the search goes on.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from saih.domain.interval import Interval
from saih.domain.point import Point
from saih.domain.quantity import counted
from saih.domain.record import Outcome
from saih.domain.trial import BESIDE, FatalTrial, Trial
from saih.domain.tuning import FOUND, Candidate, Tuned, TuningPlan, Verdict
from saih.harness.ending import COMPLETED, Ending
from saih.harness.tuning_bench import Bench, TrialFailed
from saih.harness.tuning_contest import Contest
from saih.harness.tuning_decision import LEVEL, loss_refusal, verdict_of
from workloads.execution import PLAIN, REFERENCE, Execution, settled
from workloads.tuning import Knob

T = TypeVar("T")
ALL_SETTINGS = "all settings"
"""In place of one: those that were found for another problem, at once."""
_PASSES = 2
"""A setting that did not win before another one was kept may win after it."""
_HOPELESS_GAIN = 0.9
"""What is slower than this is not tried a second time."""
AS_PLACED = "as placed"
"""All threads that the placement gives a rank, once more: kept unless they are surely slower."""
_UNCHANGED = Interval(low=1.0, value=1.0, high=1.0, level=LEVEL, count=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one search is given; the same on all ranks."""

    point: Point
    environment_id: str
    plan: TuningPlan
    knobs: tuple[Knob, ...]
    hint: Execution | None
    """What was found for another problem of this environment; None for nothing."""
    fatal: Mapping[Trial, FatalTrial]
    """What ended the ranks of earlier searches; it is not tried again."""
    trial: Callable[[Trial], AbstractContextManager[None]]
    """Entered while something is tried."""
    progress: Callable[[str], None]
    """Told what is tried now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How a search ended; ``tuned`` is None where no execution at all could be stepped."""

    ending: Ending
    tuned: Tuned | None


def search(task: Task, bench: Bench) -> Found:
    """The fastest execution of a point on its ranks; every rank calls it and gets the same."""
    return _Search(task, bench).run()


class _Search:
    def __init__(self, task: Task, bench: Bench) -> None:
        self._task = task
        self._bench = bench
        self._contest = Contest(bench, task.point, task.plan.budget_s)
        self._plain = replace(settled(PLAIN, task.point.precision), name=FOUND)
        self._best: Execution | None = None
        self._step_ns = 0.0
        self._seen: set[Execution] = set()
        self._candidates: list[Candidate] = []
        self._ending = COMPLETED
        self._hopeless: set[tuple[str, str]] = set()
        self._num_untried = 0
        self._is_repeat = False

    def run(self) -> Found:
        """Descend until nothing changes, or the budget is spent."""
        self._begin()
        if self._task.hint is not None:
            self._consider(ALL_SETTINGS, "as found for another problem", self._task.hint)
        for _ in range(_PASSES):
            before = self._best
            for knob, value in self._values():
                self._consider(knob.name, str(value), _turned(self._best or self._plain, knob, value))
            if self._best == before:
                break
            self._is_repeat = True
        self._confirm_threads()
        if self._best is None:
            return Found(ending=self._ending, tuned=None)
        return Found(ending=COMPLETED, tuned=self._tuned(self._best))

    def _begin(self) -> None:
        self._seen.add(self._plain)
        self._task.progress("the plain execution")
        try:
            with self._trying("plain", ""):
                self._step_ns = self._contest.warm_up(self._plain)
        except TrialFailed as failed:
            self._ending = failed.ending
            self._note("plain", "", "failed", reason=failed.ending.reason)
        else:
            self._best = self._plain

    def _values(self) -> Iterator[tuple[Knob, str | int]]:
        for knob in self._task.knobs:
            plain: str | int = getattr(self._plain, knob.name)
            for value in dict.fromkeys((plain, *knob.values)):
                yield knob, value

    def _consider(self, setting: str, value: str, candidate: Execution) -> None:
        """Try an execution that nobody tried yet, while there is time."""
        if candidate in self._seen or (setting, value) in self._hopeless:
            return
        self._seen.add(candidate)
        if self._contest.is_spent:
            if not self._is_repeat:
                self._num_untried += 1
                self._note(setting, value, "not tried", reason="the budget was spent")
            return
        self._task.progress(Trial(setting=setting, value=value).words)
        try:
            with self._trying(setting, value):
                self._with_room(partial(self._try, setting, value, candidate))
        except TrialFailed as failed:
            self._note(setting, value, "failed", reason=failed.ending.reason)
            if Trial(setting=setting, value=value) in self._task.fatal:
                self._hopeless.add((setting, value))
            elif setting != ALL_SETTINGS and value != AS_PLACED:
                # It may not go together with what was kept before.
                own = {"precision": candidate.precision, setting: getattr(candidate, setting)}
                self._consider(setting, f"{value} alone", replace(self._plain, **own))

    @contextmanager
    def _trying(self, setting: str, value: str) -> Iterator[None]:
        """Whoever starts ranks knows from this what they tried when they die without a word.

        Raises:
            TrialFailed: for what ended ranks before.
        """
        trial = Trial(setting=setting, value=value)
        if (fatal := self._task.fatal.get(trial)) is not None:
            raise TrialFailed(Ending(outcome=fatal.outcome, reason=fatal.reason))
        with self._task.trial(trial):
            yield

    def _with_room(self, work: Callable[[], T]) -> T:
        """What the work gives; one execution at a time where two together ran out of memory."""
        try:
            return work()
        except TrialFailed as failed:
            is_out = failed.ending.outcome is Outcome.OUT_OF_MEMORY
            if not is_out or self._bench.is_apart or self._best is None:
                raise
        self._bench.close()
        self._bench.is_apart = True
        try:
            return work()
        finally:
            self._bench.is_apart = False

    def _try(self, setting: str, value: str, candidate: Execution) -> None:
        step_ns = self._contest.warm_up(candidate)
        refusal = self._refusal(candidate)
        if refusal or self._best is None:
            self._end_trial(candidate, setting, value, (refusal, None, step_ns))
            return
        gain, step_ns = self._contest.gain(self._best, candidate, max(step_ns, self._step_ns))
        self._end_trial(candidate, setting, value, (self._refusal(candidate), gain, step_ns))

    def _end_trial(
        self, candidate: Execution, setting: str, value: str, result: tuple[str, Interval | None, float]
    ) -> None:
        """Keep the candidate or let it go; the refusal, its gain and its step decide."""
        refusal, gain, step_ns = result
        verdict: Verdict = "refused" if refusal else _final(gain, must_win=value != AS_PLACED)
        self._note(setting, value, verdict, gain=gain, step_ns=step_ns, reason=refusal or _reason(gain))
        if gain is not None and gain.high < _HOPELESS_GAIN:
            self._hopeless.add((setting, value))
        if verdict != "kept":
            self._bench.drop(candidate)
            return
        if self._best is not None:
            if gain is not None and gain.low > 1 / _HOPELESS_GAIN and setting != ALL_SETTINGS:
                self._hopeless.add((setting, str(getattr(self._best, setting))))
            self._bench.drop(self._best)
        self._best, self._step_ns = candidate, step_ns

    def _confirm_threads(self) -> None:
        """Fewer threads must win twice: others who were on the cores may have decided the first time."""
        best = self._best
        if best is not None and best.threads != self._plain.threads:
            wide = replace(best, threads=self._plain.threads)
            self._seen.discard(wide)
            self._is_repeat = False
            self._consider("threads", AS_PLACED, wide)

    def _refusal(self, candidate: Execution) -> str:
        plain, own = self._bench.losses(self._plain), self._bench.losses(candidate)
        return loss_refusal(plain, own, (self._plain.precision, candidate.precision))

    def _note(
        self,
        setting: str,
        value: str,
        verdict: Verdict,
        *,
        gain: Interval | None = None,
        step_ns: float | None = None,
        reason: str = "",
    ) -> None:
        self._candidates.append(
            Candidate(
                setting=setting, value=value, verdict=verdict, gain=gain, step_ns=step_ns, reason=reason
            )
        )

    def _tuned(self, best: Execution) -> Tuned:
        searched_s = self._bench.elapsed_s()
        against_plain = self._against(best, self._plain)
        reference = replace(REFERENCE, name=FOUND)
        against_reference = self._against(best, reference) if self._task.plan.has_yardsticks else None
        return Tuned(
            environment_id=self._task.environment_id,
            point=self._task.point,
            execution=best,
            step_ns=self._step_ns,
            candidates=tuple(self._candidates),
            against_plain=against_plain,
            against_reference=against_reference,
            has_yardsticks=self._task.plan.has_yardsticks,
            duration_s=searched_s,
            stop_reason=self._stop_reason(),
            batches=(),
            finished_utc=datetime.now(UTC).isoformat(timespec="microseconds"),
        )

    def _against(self, best: Execution, yardstick: Execution) -> Interval | None:
        """Step of a yardstick over that of the best; None where it cannot run, or time is up."""
        if best == yardstick:
            return _UNCHANGED
        kept = [one for one in self._candidates if one.verdict == "kept"]
        if yardstick == self._plain and len(kept) == 1:
            return kept[0].gain
        if self._contest.is_spent and not self._task.plan.has_yardsticks:
            return None
        self._task.progress("what was found, beside what it is compared with")
        try:
            with self._trying(BESIDE, "plain" if yardstick == self._plain else "reference"):
                return self._with_room(partial(self._contest.against, best, yardstick, self._step_ns))
        except TrialFailed:
            return None
        finally:
            self._bench.drop(yardstick)

    def _stop_reason(self) -> str:
        if not self._num_untried:
            return "every setting was tried"
        return f"budget of {self._task.plan.budget_s:g} s spent, {self._num_untried} not tried"


def _final(gain: Interval | None, *, must_win: bool) -> Verdict:
    """Of a candidate that is not refused; one without a gain is the first that could be stepped."""
    if gain is None or (gain.high >= 1 and not must_win):
        return "kept"
    return verdict_of(gain) or "no gain"


def _reason(gain: Interval | None) -> str:
    if gain is None:
        return "the first that could be stepped; there was nothing to compare its losses with"
    return "" if verdict_of(gain) else f"its time was up after {counted(gain.count, 'pair')} of windows"


def _turned(execution: Execution, knob: Knob, value: str | int) -> Execution:
    known = {one.name for one in fields(Execution)} - {"name"}
    if knob.name not in known:
        raise ValueError(f"an execution has no setting {knob.name!r}; use {', '.join(sorted(known))}")
    return replace(execution, **{knob.name: value})  # type: ignore[arg-type]  # a field by its name

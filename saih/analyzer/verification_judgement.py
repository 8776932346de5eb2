"""When a verdict counts as verified, refuted, undecided or contended."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from saih.analyzer.contention import is_pressed, is_slowed
from saih.analyzer.verification_statistics import LEVEL
from saih.analyzer.verification_words import effect_words, percent, ratio_words, sham_words
from saih.domain.interval import Interval
from saih.domain.verdict import Limit
from saih.domain.verification import LEAST_EFFECT, CpuContention, Status, ToggleEffect, Verification

LEAST_RATIO, GREATEST_RATIO = 0.8, 1.2
"""Within these a step moved as predicted."""
WIDEST = 0.5
"""A ratio whose interval reaches farther than this from 1 verifies nothing."""
GREATEST_P = 0.05
GREATEST_SHAM = LEAST_EFFECT / 2
"""A sham that surely moves the step by more than this share says that the run cannot be trusted."""
MOST_DRIFT = 1.3
"""Of the step in the windows over that of the record, either way: beyond it, the state is another one."""
CPU_LIMITS = frozenset({Limit.COMPUTE, Limit.MEMORY, Limit.LAUNCH, Limit.CEILING, Limit.IMBALANCE})
_FINEST = 0.05
_MOST_PAIRS = 999


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all tests of one point stand on."""

    record_id: str
    step_ns: float
    """The typical step of the record."""
    sham: ToggleEffect | None
    contention: str
    """Why the cores count as contended; empty where they do not."""
    is_divided: bool = False
    """Whether ranks meet since they divide a model."""

    @property
    def is_quiet(self) -> bool:
        """Whether a switch that changes nothing did nothing."""
        sham = self.sham
        if sham is None:
            return False
        is_moved = abs(sham.measured_ns.value) >= GREATEST_SHAM * sham.off_ns
        return sham.p_value > GREATEST_P or not is_moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One ratio of measured over predicted that a verdict must pass."""

    name: str
    ratio: Interval
    p_value: float | None
    """That the step did not move at all; None where it need not move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was switched that bears on one verdict; the first part is the main one."""

    limit: Limit
    main: ToggleEffect
    """The removal, or the largest dose."""
    parts: tuple[Part, ...]
    doses: tuple[ToggleEffect, ...]
    slope: Interval | None
    lacks: str = ""
    """What cannot be tested, so that nothing can verify it; empty where all can."""


def judged(evidence: Evidence, ground: Ground) -> Verification:
    """The status of one verdict, with the sentence that says why."""
    status, reason = _status(evidence, ground)
    more = _more_pairs(evidence.parts) if status == "undecided" and not reason else 0
    if more:
        reason = f"too noisy: about {more} more pairs of windows would decide it"
    return _verification(evidence, ground, (status, reason), more)


def surprise(evidence: Evidence, ground: Ground) -> Verification:
    """A cause that the record does not charge, though its removal saved much: that refutes the record."""
    reason = "the record charges less to it than was saved"
    return _verification(evidence, ground, ("refuted", reason), 0)


def untested(record_id: str, limit: Limit, reason: str) -> Verification:
    """A verdict that nothing was switched for."""
    return Verification(
        record_id=record_id,
        limit=limit,
        status="undecided",
        predicted_ns=None,
        measured_ns=None,
        ratio=None,
        p_value=None,
        doses=(),
        statement=f"undecided: {reason}.",
    )


def contention_reason(found: CpuContention, *, is_contended: bool) -> str:
    """Why the cores count as contended, in words; empty where they do not."""
    if is_pressed(found.cpu_some, found.sigma, found.others):
        return f"tasks waited for cores in {percent(found.cpu_some or 0.0)} of the time (PSI)"
    if is_slowed(found.sigma):
        return f"the step's thread took {found.sigma:.2f} times its time on cores, waiting for them"
    return "the record itself was measured on contended cores" if is_contended else ""


def _status(evidence: Evidence, ground: Ground) -> tuple[Status, str]:
    """The status, and its reason where the numbers do not tell it."""
    if ground.contention and evidence.limit in CPU_LIMITS:
        return "contended", ground.contention
    if not ground.is_quiet:
        return "undecided", "a switch that changes nothing moved the step, or none was run"
    effect = evidence.main
    if abs(effect.predicted_ns.value) < LEAST_EFFECT * effect.off_ns:
        share = percent(abs(effect.predicted_ns.value) / effect.off_ns)
        return "undecided", f"predicted to move the step by {share} only; below 10 % names no cause"
    if all(_passes(part) for part in evidence.parts):
        return ("undecided", evidence.lacks) if evidence.lacks else ("verified", "")
    if any(_fails(part) for part in evidence.parts):
        return _failure(effect, ground)
    return "undecided", evidence.lacks


def _failure(effect: ToggleEffect, ground: Ground) -> tuple[Status, str]:
    """Of a step that surely did not move as predicted."""
    drift = effect.off_ns / ground.step_ns
    if not 1 / MOST_DRIFT <= drift <= MOST_DRIFT:
        reason = f"the step now takes {drift:.2f} times what the record says: measure this point again first"
        return "undecided", reason
    return ("contended", ground.contention) if ground.contention else ("refuted", "")


def _passes(part: Part) -> bool:
    """Whether the step moved as predicted, and is known well enough to say so."""
    ratio = part.ratio
    is_known = ratio.low >= 1 - WIDEST and ratio.high <= 1 + WIDEST
    return (
        LEAST_RATIO <= ratio.value <= GREATEST_RATIO
        and is_known
        and (part.p_value is None or part.p_value <= GREATEST_P)
    )


def _fails(part: Part) -> bool:
    """Whether the step surely did not move as predicted: too few pairs have no interval of that level."""
    ratio = part.ratio
    return ratio.level >= LEVEL and (ratio.high < LEAST_RATIO or ratio.low > GREATEST_RATIO)


def _more_pairs(parts: Sequence[Part]) -> int:
    """How many more pairs would make every interval narrow enough: widths shrink with the square root."""
    most = 0
    for part in parts:
        if _passes(part):
            continue
        ratio = part.ratio
        half = (ratio.high - ratio.low) / 2
        room = min(abs(ratio.value - LEAST_RATIO), abs(ratio.value - GREATEST_RATIO))
        needed = ratio.count * (half / max(room, _FINEST)) ** 2
        most = max(most, min(math.ceil(needed) - ratio.count, _MOST_PAIRS))
    return max(most, 1)


def _verification(
    evidence: Evidence, ground: Ground, ruling: tuple[Status, str], more_pairs: int
) -> Verification:
    status, reason = ruling
    numbers = [effect_words(evidence.main)]
    numbers += [ratio_words(part.name, part.ratio) for part in evidence.parts]
    numbers.append(sham_words(ground.sham))
    told = "; ".join(numbers)
    main = evidence.parts[0]
    return Verification(
        record_id=ground.record_id,
        limit=evidence.limit,
        status=status,
        predicted_ns=evidence.main.predicted_ns,
        measured_ns=evidence.main.measured_ns,
        ratio=main.ratio,
        p_value=main.p_value,
        doses=evidence.doses,
        statement=f"{status}: {reason}; {told}." if reason else f"{status}: {told}.",
        slope=evidence.slope,
        sham=ground.sham,
        more_pairs=more_pairs,
    )

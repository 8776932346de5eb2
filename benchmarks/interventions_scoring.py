"""Who was named right: judged runs to a confusion matrix, shares and a table. Pure."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from saih.domain.interval import Interval
from saih.domain.trend import Limit

NOBODY = (Limit.MIXED, Limit.UNEXPLAINED, Limit.UNKNOWN)
"""What the analyzer says when it names no cause: neither right nor a false claim."""


class Score(StrEnum):
    """What a judged run counts as."""

    RIGHT = "right"
    FALSE = "false claim"
    NEITHER = "neither"
    CONTENDED = "contended"
    """Refused, because others used the machine; not counted, and measured again when that ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was done in one run, and what the analyzer said of it against an undisturbed one."""

    causes: tuple[str, ...]
    """None for a sham."""
    right: tuple[Limit, ...]
    """The class that names each of them rightly."""
    dose: float
    """What was added to the step, as a share of it."""
    named: Limit | None
    """The class that took most of the time that was lost; None where no loss was sure."""
    ranking: tuple[Limit, ...]
    """All classes by what they took of it."""
    verdict: Limit
    """Of the disturbed run by itself."""
    added_ns: Interval
    """Step of the disturbed run minus that of the undisturbed one."""
    predicted_ns: float
    """What was put in, as it lies on the critical path."""
    is_contended: bool
    reason: str = ""
    """Why it is not judged, in the analyzer's words."""
    seed: int = 0
    """By which the run is known."""


def score(judged: Judged) -> Score:
    """One cause must be named; of two, both must be the two that took most; a sham must be called nothing."""
    if judged.is_contended:
        return Score.CONTENDED
    if not judged.causes:
        return _score_of_sham(judged)
    if len(judged.causes) > 1:
        return _score_of_several(judged, frozenset(judged.right))
    if judged.named is None or judged.named in NOBODY:
        return Score.NEITHER
    return Score.RIGHT if judged.named in judged.right else Score.FALSE


def _score_of_sham(judged: Judged) -> Score:
    if judged.named is None:
        return Score.RIGHT
    return Score.NEITHER if judged.named in NOBODY else Score.FALSE


def _score_of_several(judged: Judged, right: frozenset[Limit]) -> Score:
    first = judged.ranking[: len(right)]
    if right == set(first):
        return Score.RIGHT
    if judged.named is None or set(first) - right <= set(NOBODY):
        return Score.NEITHER
    return Score.FALSE


def is_named_alone(judged: Judged) -> bool:
    """Whether the verdict of the run by itself is the cause too."""
    return judged.verdict in judged.right


def leads_beside_contention(judged: Judged) -> bool:
    """Whether the causes took most of what was lost, the time aside for which others had the processors."""
    own = [limit for limit in judged.ranking if limit is not Limit.CONTENTION]
    return bool(judged.right) and set(own[: len(judged.right)]) == set(judged.right)


def shares(runs: Sequence[Judged]) -> Mapping[Score, float]:
    """Share of each score among the runs that were not contended; NaN, which reaches no bar, if all were."""
    counts = Counter(score(run) for run in runs)
    total = sum(counts.values()) - counts[Score.CONTENDED]
    return {one: counts[one] / total if total else math.nan for one in Score if one is not Score.CONTENDED}


def columns(runs: Sequence[Judged]) -> tuple[str, ...]:
    """What was said somewhere: the classes that may be right first."""
    said = {name_of(run) for run in runs}
    first = [str(limit) for limit in dict.fromkeys(limit for run in runs for limit in run.right)]
    return (*first, *sorted(said - set(first)))


def confusion(runs: Sequence[Judged]) -> Mapping[str, Counter[str]]:
    """Causes to what was said of them, and how often; contended runs are a column of their own."""
    rows: dict[str, Counter[str]] = {}
    for run in runs:
        rows.setdefault(row_name(run), Counter())[name_of(run)] += 1
    return rows


def row_name(run: Judged) -> str:
    """What was done in a run."""
    return " + ".join(run.causes) if run.causes else "nothing (sham)"


def name_of(run: Judged) -> str:
    """What was said of a run, in one word or two."""
    if run.is_contended:
        return str(Score.CONTENDED)
    if len(run.causes) > 1 and score(run) is Score.RIGHT:
        return "both"
    return "nothing" if run.named is None else str(run.named)


def dose_slope(runs: Sequence[Judged]) -> Interval | None:
    """Measured over predicted effects, through the origin, with its bootstrap interval; None for no run."""
    pairs = np.array([(run.predicted_ns, run.added_ns.value) for run in runs if not run.is_contended])
    if len(pairs) < 2 or not pairs[:, 0].all():
        return None
    generator = np.random.default_rng(5)
    rows = generator.integers(0, len(pairs), size=(1000, len(pairs)))
    resampled = pairs[rows]
    # The median of ratios: one run that somebody disturbed shall not decide it.
    ratios = np.median(resampled[:, :, 1] / resampled[:, :, 0], axis=1)
    low, high = np.quantile(ratios, (0.025, 0.975))
    value = float(np.median(pairs[:, 1] / pairs[:, 0]))
    return Interval(
        low=min(float(low), value), value=value, high=max(float(high), value), level=0.95, count=len(pairs)
    )


def table(runs: Sequence[Judged]) -> str:
    """The confusion matrix as a Markdown table, with the slope of the doses of each cause."""
    names = columns(runs)
    lines = [
        f"| cause | {' | '.join(names)} | measured / put in |",
        f"|---|{'---|' * (len(names) + 1)}",
    ]
    for name, row in confusion(runs).items():
        own = [run for run in runs if row_name(run) == name]
        slope = dose_slope(own)
        cells = " | ".join(str(row[column]) if row[column] else "" for column in names)
        said = f"{slope.value:.2f} [{slope.low:.2f}, {slope.high:.2f}]" if slope else ""
        lines.append(f"| {name} | {cells} | {said} |")
    return "\n".join(lines)

"""Gates of a valid learning problem: what was measured, judged. Pure; each says its numbers in a sentence.

The limits are proposals of the field's experience with this family on few universes, to be read beside the
figures: a gate that fails names a point whose speed says nothing, since nobody would train it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from statistics import fmean, median
from types import MappingProxyType

from workloads.cosmoflow.probe import Probe

LEAST_FEATURE_STD, MOST_FEATURE_STD = 0.05, 5.0
MOST_ANSWER = 0.9
LEAST_GRADIENT = 1e-4
OVERFIT_ERROR = 0.05
ESCAPE_SHARE = 0.95
"""Of the constant's error: by chance alone one may come out a little below it."""
LEAK = 0.02
"""Below the constant's error by this much, shuffled labels were learnt from: something tells the answers."""
RISE = 0.02
"""More data may raise an error by so much: two trainings differ by chance."""
LOSS_RISE = 0.02
"""As a share: so much may one fifth of a training's losses lie above the one before."""
MOST_GAP = 2.0
REFERENCE_ERROR = 0.124
"""Target of MLPerf HPC for 128^3 x 4 at full size."""
_NUM_PARTS = 5
_MEDIAN_OF = 5


class Verdict(StrEnum):
    """How a gate ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"


TITLES: Mapping[str, str] = MappingProxyType(
    {
        "G0": "signals pass at the start",
        "G1": "a few samples are learnt by heart",
        "G2": "the data tell something",
        "G3": "learning leaves the plateau",
        "G4": "shuffled labels teach nothing",
        "G5": "the network beats the ridge",
        "G6": "the loss falls",
        "G7": "more data, no more error",
        "G8": "the data are sound",
    }
)
TWIN_REQUIRED = ("G0", "G2", "G3", "G4", "G8")
"""Where these pass on a twin, a point may be measured for its speed; the others tell how far it learnt."""
REQUIRED = (*TWIN_REQUIRED, "G5")
"""Without these nothing is said of a problem that was studied itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate and how it ended."""

    name: str
    verdict: Verdict
    statement: str
    figures: Mapping[str, float] = field(default_factory=dict)
    duration_s: float = 0.0

    @property
    def told(self) -> dict[str, object]:
        """The gate as plain JSON values."""
        return {
            "name": self.name,
            "title": TITLES[self.name],
            "verdict": str(self.verdict),
            "figures": {name: value for name, value in self.figures.items() if math.isfinite(value)},
            "statement": self.statement,
            "duration_s": self.duration_s,
        }


def not_run(name: str, reason: str) -> Gate:
    """A gate that could not be run, and why."""
    return Gate(name=name, verdict=Verdict.NOT_RUN, statement=reason)


def judge_start(signs: Probe) -> Gate:
    """G0: features neither vanish nor explode, tanh is not saturated, every layer hears of the loss."""
    passed = (
        LEAST_FEATURE_STD <= signs.feature_std <= MOST_FEATURE_STD
        and signs.mean_answer < MOST_ANSWER
        and signs.least_relative_gradient >= LEAST_GRADIENT
    )
    return Gate(
        name="G0",
        verdict=_of(passed=passed),
        figures={
            "feature_std": signs.feature_std,
            "least_stage_std": signs.least_stage_std,
            "mean_answer": signs.mean_answer,
            "least_relative_gradient": signs.least_relative_gradient,
        },
        statement=f"features behind {signs.num_layers} layers have a deviation of {signs.feature_std:.3g} "
        f"({LEAST_FEATURE_STD} to {MOST_FEATURE_STD}), answers a mean size of {signs.mean_answer:.3g} "
        f"(below {MOST_ANSWER}), the least gradient is {signs.least_relative_gradient:.2g} of the median "
        f"layer's (at least {LEAST_GRADIENT:g})",
    )


def judge_overfit(error: float, num_samples: int, num_steps: int) -> Gate:
    """G1: a network that cannot learn some samples by heart cannot learn."""
    return Gate(
        name="G1",
        verdict=_of(passed=error < OVERFIT_ERROR),
        figures={"error": error, "samples": num_samples, "steps": num_steps},
        statement=f"{num_samples} samples were learnt to an error of {error:.3f} in {num_steps} steps (below "
        f"{OVERFIT_ERROR})",
    )


def judge_baselines(constant: float, ridge: float, num_train: int, num_judged: int) -> Gate:
    """G2: two plain statistics predict better than chance would let them, so there is something to learn."""
    return Gate(
        name="G2",
        verdict=_of(passed=ridge < ESCAPE_SHARE * constant),
        figures={
            "constant": constant,
            "ridge": ridge,
            "train_universes": num_train,
            "judged_universes": num_judged,
        },
        statement=f"a ridge on P(k) and counts of {num_train} universes errs by {ridge:.3f} on {num_judged} "
        f"others (below {ESCAPE_SHARE} of the constant's {constant:.3f})",
    )


def judge_escape(least_error: float, constant: float, num_steps: int, num_starts: int) -> Gate:
    """G3: within the first half of a training the error is below that of a constant."""
    starts = "the first start" if num_starts == 1 else f"{num_starts} starts"
    return Gate(
        name="G3",
        verdict=_of(passed=least_error < ESCAPE_SHARE * constant),
        figures={"least_error": least_error, "constant": constant, "steps": num_steps, "starts": num_starts},
        statement=f"the error fell to {least_error:.3f} within {num_steps} steps of {starts} (below "
        f"{ESCAPE_SHARE} of the constant's {constant:.3f})",
    )


def judge_shuffled(error: float, constant: float) -> Gate:
    """G4: from shuffled labels nothing can be learnt; whoever does hears the answers elsewhere."""
    return Gate(
        name="G4",
        verdict=_of(passed=error > constant - LEAK),
        figures={"error": error, "constant": constant},
        statement=f"learnt from shuffled labels the error is {error:.3f} (above {constant - LEAK:.3f}, "
        f"{LEAK} below the constant's)",
    )


def judge_final(error: float, ridge: float, *, is_reference: bool, num_steps: int) -> Gate:
    """G5: a network that learns less than two plain statistics is not worth its arithmetic."""
    limit = min(ridge, REFERENCE_ERROR) if is_reference else ridge
    named = f"at most {limit:.3f}, the {'target of MLPerf HPC' if limit < ridge else 'ridge'}"
    return Gate(
        name="G5",
        verdict=_of(passed=error <= limit),
        figures={"error": error, "limit": limit, "ridge": ridge, "steps": num_steps},
        statement=f"after {num_steps} steps the error is {error:.3f} ({named})",
    )


def judge_losses(losses: Sequence[float], train_error: float, error: float) -> Gate:
    """G6: losses are numbers and fall fifth by fifth, and what is learnt holds for other universes too."""
    gap = error / train_error if train_error > 0 else math.inf
    if not losses or not all(math.isfinite(loss) for loss in losses):
        broken = next((step for step, loss in enumerate(losses) if not math.isfinite(loss)), 0)
        return Gate(
            name="G6", verdict=Verdict.FAILED, statement=f"the loss of step {broken + 1} is no number"
        )
    fifths = _fifths(losses)
    falls = all(after <= (1 + LOSS_RISE) * before for before, after in pairwise(fifths))
    return Gate(
        name="G6",
        verdict=_of(passed=falls and gap < MOST_GAP),
        figures={**{f"loss_{place}": loss for place, loss in enumerate(fifths, 1)}, "gap": gap},
        statement=f"losses by fifths are {', '.join(f'{loss:.3f}' for loss in fifths)} (falling); other "
        f"universes have {gap:.2f} times the error of those learnt from (below {MOST_GAP:g})",
    )


def judge_growth(courses: Mapping[str, Sequence[tuple[str, float]]]) -> Gate:
    """G7: for each kind of growth, the errors do not rise as the data grow."""
    rises = {
        kind: max(after - before for (_, before), (_, after) in pairwise(course))
        for kind, course in courses.items()
        if len(course) > 1
    }
    if not rises:
        return not_run("G7", "there is no smaller part of these data to learn from")
    words = "; ".join(
        f"{kind}: {', '.join(f'{error:.3f} with {label}' for label, error in courses[kind])}"
        for kind in rises
    )
    return Gate(
        name="G7",
        verdict=_of(passed=max(rises.values()) <= RISE),
        figures={f"{kind} {label}": error for kind in rises for label, error in courses[kind]},
        statement=f"errors by {words} (no rise above {RISE})",
    )


def judge_data(faults: Sequence[str], checked: Sequence[str], figures: Mapping[str, float]) -> Gate:
    """G8: what was checked of the data, and what was wrong."""
    return Gate(
        name="G8",
        verdict=_of(passed=not faults),
        figures=figures,
        statement="; ".join(faults or checked),
    )


def _fifths(losses: Sequence[float]) -> list[float]:
    """Of each fifth the median over five means: single batches scatter, and one bad one is no rise."""
    return [median(fmean(part) for part in _parts(own, _MEDIAN_OF)) for own in _parts(losses, _NUM_PARTS)]


def _parts(values: Sequence[float], num_parts: int) -> list[Sequence[float]]:
    """So many parts in order, as equal as can be; of few values some stand in two parts."""
    bounds = [place * len(values) // num_parts for place in range(num_parts + 1)]
    return [values[begin : max(end, begin + 1)] for begin, end in pairwise(bounds)]


def _of(*, passed: bool) -> Verdict:
    return Verdict.PASSED if passed else Verdict.FAILED

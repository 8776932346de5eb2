"""Which windows are run, and in what order: decided by a seed, before the first of them. Pure."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from saih.domain.point import Meeting
from saih.domain.verification import LOADS, Intervention, Toggle, VerifyPlan
from saih.harness.prefetch import DEPTH

FEWEST_STEPS, MOST_STEPS = 8, 200
"""Of one window."""
_MARGIN_STEPS = 2
_HIDDEN_SHARE = 0.5
"""Of the slack of the loader: a delay that nobody should notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What the session does when nothing is switched on."""

    step_ns: float
    produce_ns: float
    """Of one batch, on the rank where it takes longest."""
    slowest_rank: int
    """The rank that works longest: what is added to it is added to the step."""
    meeting: Meeting
    num_ahead: int = DEPTH
    """Batches that may lie ready, made before a switch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One pair of windows to be run."""

    toggle: int
    """Index of the toggle."""
    is_on_first: bool


def toggles_of(plan: VerifyPlan, found: Calibration) -> tuple[Toggle, ...]:
    """Everything that is switched at a point, with doses that its steps ask for."""
    toggles: list[Toggle] = []
    for one in plan.chosen(found.meeting):
        doses = _doses(plan, found, one) if one in LOADS else (0,)
        rank = found.slowest_rank if one is Intervention.SLOW_RANK else None
        toggles += [Toggle(intervention=one, dose_ns=dose, rank=rank) for dose in doses]
    return tuple(toggles)


def schedule(toggles: Sequence[Toggle], plan: VerifyPlan, seed: int) -> tuple[Slot, ...]:
    """All pairs, those of each toggle spread evenly over the run, in an order that the seed decides.

    Half of the pairs of each toggle, to one, begin with the window in which it is on: a drift counts for as
    many as against it.
    """
    chance = random.Random(seed)  # noqa: S311 - an order of windows is no secret
    placed: list[tuple[float, Slot]] = []
    for index, toggle in enumerate(toggles):
        number = plan.pairs_per_dose if toggle.intervention in LOADS else plan.num_pairs
        firsts = [pair % 2 == 0 for pair in range(number)]
        chance.shuffle(firsts)
        placed += [
            ((pair + chance.random()) / number, Slot(toggle=index, is_on_first=is_on_first))
            for pair, is_on_first in enumerate(firsts)
        ]
    return tuple(slot for _, slot in sorted(placed, key=lambda one: one[0]))


def num_window_steps(plan: VerifyPlan, found: Calibration) -> int:
    """Steps of one window."""
    return min(max(math.ceil(plan.window_s * 1e9 / found.step_ns), FEWEST_STEPS), MOST_STEPS)


def num_settle_steps(plan: VerifyPlan, found: Calibration, toggle: Toggle) -> int:
    """Steps that are dropped after a switch: those whose batches were made before it, at least.

    A slower loader first uses up what lies ready: with an excess of e over the step, d batches last for
    d (1 + e) / e steps.
    """
    depth = found.num_ahead
    steps = depth + _MARGIN_STEPS
    if toggle.intervention is Intervention.DELAYED_INPUT:
        excess = (found.produce_ns + toggle.dose_ns) / found.step_ns - 1
        if excess > 0:
            steps = max(steps, math.ceil(depth * (1 + excess) / excess) + _MARGIN_STEPS)
    return min(max(steps, math.ceil(plan.settle_s * 1e9 / found.step_ns)), MOST_STEPS)


def _doses(plan: VerifyPlan, found: Calibration, intervention: Intervention) -> tuple[int, ...]:
    """The doses [ns], growing; a delay of input must first use up the slack of the loader."""
    doses = [dose * found.step_ns for dose in sorted(plan.doses)]
    if intervention is Intervention.DELAYED_INPUT:
        slack = max(found.step_ns - found.produce_ns, 0.0)
        exposed = [slack + dose for dose in doses]
        doses = [_HIDDEN_SHARE * slack, *exposed[1:]] if slack > doses[0] and len(doses) > 1 else exposed
    return tuple(max(round(dose), 1) for dose in doses)

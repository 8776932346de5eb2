"""How a search spends its time: how many trials, seeds and steps a budget allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

NUM_TRIALS = 9
NUM_SEEDS = 3
LEAST_STEPS = 30
MOST_EPOCHS = 200
RESOURCES = (1, 3, 9)
"""Ninths of its steps at which a trial is compared with the others: two of three end at each (ASHA)."""
_MEAN_SHARE = 0.5
"""Of its steps that a trial does before it ends, over all trials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """What is done for each cost; the same everywhere, so that losses compare."""

    num_trials: int
    num_seeds: int
    num_steps: int
    batch: int
    rung_budgets_s: tuple[float, ...]
    """Time for the trials of each rung; one that is at work when it ends still finishes."""

    @property
    def milestones(self) -> tuple[int, ...]:
        """Steps after which a trial is judged."""
        return tuple(max(1, self.num_steps * resource // RESOURCES[-1]) for resource in RESOURCES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast this machine trains and judges the models of each rung."""

    steps_s: tuple[float, ...]
    """One step of each rung, cheapest first."""
    judging_s: tuple[float, ...]
    """One judgement of each."""


def planned(
    pace: Pace, *, budget_s: float, num_ranks: int, num_samples: int, batch: int, num_trials: int = NUM_TRIALS
) -> SearchPlan:
    """As many steps as the budget pays for, if all ranks work at the same time.

    All rungs get the same number of steps, so that a larger model is given more work, never less to see.
    """
    runs = _MEAN_SHARE * ceil(num_trials / num_ranks), float(ceil(NUM_SEEDS / num_ranks))
    judged_s = sum(pace.judging_s) * len(RESOURCES) * sum(runs)
    affordable = (budget_s - judged_s) / (sum(pace.steps_s) * sum(runs))
    most = MOST_EPOCHS * max(1, num_samples // batch)
    num_steps = int(min(max(affordable, LEAST_STEPS), most))
    for_trials_s = budget_s * runs[0] / sum(runs)
    return SearchPlan(
        num_trials=num_trials,
        num_seeds=NUM_SEEDS,
        num_steps=num_steps,
        batch=batch,
        rung_budgets_s=_shares(pace.steps_s, for_trials_s),
    )


def _shares(weights: Sequence[float], total: float) -> tuple[float, ...]:
    return tuple(total * weight / sum(weights) for weight in weights)

"""One rung of a search: trials find how a model of this cost learns best, seeds show how well it does."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from augment.problem import ProblemError
from cosmology.dataset_error import DatasetError
from cosmology.durable_file import read_checked_json, write_checked_json
from cosmology.network import Network
from workloads.cosmoflow.examples import Examples
from workloads.cosmoflow.learning import Learner, LearningPlan, load_network
from workloads.cosmoflow.milestones import Milestones
from workloads.cosmoflow.pareto import Rung
from workloads.cosmoflow.recipe import standard_plan
from workloads.cosmoflow.search_plan import RESOURCES, SearchPlan
from workloads.cosmoflow.search_space import (
    LEAST_RATE_FACTOR,
    MOST_RATE_FACTOR,
    Candidate,
    Choice,
)
from workloads.cosmoflow.trial_journal import Parameters, TrialJournal
from workloads.cosmoflow.warm_start import grown, why_not

_DEPTH, _RATE_FACTOR, _IS_GROWN = "depth", "rate_factor", "is_grown"
_FIRST_SEED = 1000
"""Seeds of the networks that are reported; those of trials are below."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """Samples of three disjoint sets of universes."""

    train: Examples
    validation: Examples
    """By which trials are compared, and weights are kept."""
    judged: Examples
    """By which nothing was chosen: losses are of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The rung below: its member, and where the networks of its seeds are."""

    candidate: Candidate
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RungTask:
    """All that decides one rung."""

    name: str
    target_flops_per_sample: float
    candidates: Mapping[int, Candidate]
    """By depth."""
    below: Floor | None
    material: Material
    plan: SearchPlan
    budget_s: float
    """For the trials."""
    folder: Path
    device: str
    seed: int

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of the networks that are reported."""
        return tuple(self.seed + _FIRST_SEED + number for number in range(self.plan.num_seeds))

    @property
    def space(self) -> dict[str, BaseDistribution]:
        """What a trial may choose."""
        space: dict[str, BaseDistribution] = {
            _DEPTH: CategoricalDistribution(tuple(self.candidates)),
            _RATE_FACTOR: FloatDistribution(LEAST_RATE_FACTOR, MOST_RATE_FACTOR, log=True),
        }
        if self._can_any_grow:
            space[_IS_GROWN] = CategoricalDistribution((True, False))
        return space

    @property
    def first(self) -> tuple[Parameters, ...]:
        """What is tried first: the standard settings, anew and grown from the rung below."""
        least = min(self.candidates)
        growable = [depth for depth, candidate in self.candidates.items() if self.can_grow(candidate)]
        anew = {_DEPTH: least, _RATE_FACTOR: 1.0}
        if not growable:
            return (anew,)
        return {_DEPTH: growable[0], _RATE_FACTOR: 1.0, _IS_GROWN: True}, {**anew, _IS_GROWN: False}

    def choice_of(self, parameters: Parameters) -> Choice:
        """What the parameters of a trial mean."""
        candidate = self.candidates[int(parameters[_DEPTH])]
        return Choice(
            candidate=candidate,
            rate_factor=float(parameters[_RATE_FACTOR]),
            is_grown=bool(parameters.get(_IS_GROWN, False)) and self.can_grow(candidate),
        )

    def can_grow(self, candidate: Candidate) -> bool:
        """Whether a member can begin as that of the rung below."""
        return self.below is not None and not why_not(
            self.below.candidate.architecture, candidate.architecture
        )

    def training(self, choice: Choice, seed: int, path: Path) -> Milestones:
        """The training of a choice, begun or gone on with."""
        plan = learning_plan(choice, self.plan, seed)
        learner = Learner(plan, self.material.train, self.device, self._start(choice, seed))
        return Milestones(learner, self.material.validation, path)

    def _start(self, choice: Choice, seed: int) -> Network | None:
        if self.below is None or not choice.is_grown:
            return None
        origin = seed if seed in self.seeds else self.seeds[0]
        small = self.below.candidate.architecture
        network = load_network(small, seed_path(self.below.folder, origin))
        return grown(network, small, choice.candidate.architecture, seed=seed)

    @property
    def _can_any_grow(self) -> bool:
        return any(self.can_grow(candidate) for candidate in self.candidates.values())


def learning_plan(choice: Choice, plan: SearchPlan, seed: int) -> LearningPlan:
    """How a choice learns: the recipe at another rate."""
    standard = standard_plan(
        choice.candidate.architecture, num_steps=plan.num_steps, seed=seed, batch=plan.batch
    )
    return replace(standard, learning_rate=standard.learning_rate * choice.rate_factor)


def try_choices(
    task: RungTask, journal: TrialJournal, is_time_over: Callable[[], bool], progress: Callable[[str], None]
) -> None:
    """Do trials until there are enough over all ranks, or time is over and one is complete."""
    while journal.num_begun < task.plan.num_trials:
        if is_time_over() and journal.num_complete:
            return
        progress(f"{task.name}, {_tried(task, journal)}")


def _tried(task: RungTask, journal: TrialJournal) -> str:
    """Do one trial; how it ended, in words."""
    trial = journal.ask()
    choice = task.choice_of(trial.params)
    training = task.training(choice, task.seed, task.folder / f"trial-{journal.number_of(trial)}.safetensors")
    if choice.is_grown:
        training.reach(0)
    steps = dict(zip(RESOURCES, task.plan.milestones, strict=True))
    is_complete = journal.follow(trial, lambda resource: training.reach(steps[resource]))
    training.forget()
    return (
        f"trial {trial.number}: {choice.candidate.label}, rate x{choice.rate_factor:.2f}, "
        f"{'grown' if choice.is_grown else 'anew'}: {training.best_error:.4f} "
        f"({'complete' if is_complete else 'left behind'})"
    )


def train_seeds(
    task: RungTask, choice: Choice, rank: int, num_ranks: int, progress: Callable[[str], None]
) -> None:
    """Train this rank's share of the networks that are reported, and judge them."""
    for seed in task.seeds[rank::num_ranks]:
        if _known_loss(task.folder, seed) is None:
            training = task.training(choice, seed, task.folder / f"training-{seed}.safetensors")
            for num_steps in (0, *task.plan.milestones) if choice.is_grown else task.plan.milestones:
                training.reach(num_steps)
            learner = training.best_learner()
            learner.save_network(seed_path(task.folder, seed))
            errors = learner.mean_absolute_errors(task.material.judged)
            _write_loss(task.folder, seed, sum(errors) / len(errors))
            training.forget()
        progress(f"{task.name}, seed {seed}: {_known_loss(task.folder, seed) or math.nan:.4f}")


def outcome(task: RungTask, choice: Choice) -> Rung:
    """What the rung showed, once all its seeds were trained.

    Raises:
        ProblemError: when a network gave no number.
    """
    losses = [_known_loss(task.folder, seed) for seed in task.seeds]
    known = tuple(loss for loss in losses if loss is not None and math.isfinite(loss))
    if len(known) < len(losses):
        raise ProblemError(
            f"{task.name}: {len(losses) - len(known)} of {len(losses)} networks gave no number; use more "
            "universes, or a smaller model."
        )
    candidate = choice.candidate
    rate = learning_plan(choice, task.plan, task.seed).learning_rate
    is_grown_from = f"from {task.below.candidate.label}" if task.below and choice.is_grown else ""
    return Rung(
        target_flops_per_sample=task.target_flops_per_sample,
        flops_per_sample=candidate.flops_per_sample,
        model=candidate.model,
        label=candidate.label,
        settings={
            "learning_rate": rate,
            "batch": float(task.plan.batch),
            "num_steps": float(task.plan.num_steps),
        },
        warm_start=is_grown_from,
        seeds=task.seeds,
        losses=known,
    )


def seed_path(folder: Path, seed: int) -> Path:
    """Where the network of a seed is."""
    return folder / f"network-{seed}.safetensors"


def _known_loss(folder: Path, seed: int) -> float | None:
    try:
        content: dict[str, Any] = read_checked_json(folder / f"loss-{seed}.json")  # Any: checked below
    except DatasetError:
        return None
    return float(content["loss"])


def _write_loss(folder: Path, seed: int, loss: float) -> None:
    if math.isfinite(loss):
        write_checked_json(folder / f"loss-{seed}.json", {"loss": loss})

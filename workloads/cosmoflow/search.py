"""Growth that keeps its accuracy: for the cost of each problem the member of the family that learns best.

Every rank tries settings at the same time and tells the others through a journal in the study's folder
(ASHA with a tree-structured Parzen estimator, by Optuna). Each rung may begin as the network of the rung
below, grown so that it computes the same, so that more work never starts from less. What is done is kept,
and read again when the search is killed or repeated.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from augment.problem import Problem, ProblemError
from cosmology.dataset import open_dataset
from cosmology.dataset_error import DatasetError
from cosmology.durable_file import read_checked_json, write_checked_json
from workloads.cosmoflow.baselines import FEWEST_UNIVERSES, constant_errors, ridge_errors
from workloads.cosmoflow.evaluation import Errors
from workloads.cosmoflow.examples import Examples, read_examples
from workloads.cosmoflow.learning import Learner
from workloads.cosmoflow.milestones import Milestones
from workloads.cosmoflow.pareto import Front, Rung, front_of
from workloads.cosmoflow.problem_data import definition_of
from workloads.cosmoflow.recipe import BATCH, standard_plan
from workloads.cosmoflow.search_plan import Pace, SearchPlan, planned
from workloads.cosmoflow.search_rung import Floor, Material, RungTask, outcome, train_seeds, try_choices
from workloads.cosmoflow.search_space import candidates, cost_of
from workloads.cosmoflow.shapes import CosmoFlowShape
from workloads.cosmoflow.trial_journal import TrialJournal, mend_journal
from workloads.protocol import Told
from workloads.steady_clock import steady_ns
from workloads.studying import Study

MOST_BYTES = 4 << 30
"""Of samples that each rank holds in memory."""
_JUDGED_SHARE = 0.15
_MOST_JUDGED = 512
_PACE_STEPS = 2
_CHOICE = "choice.json"
_METRIC = "mean absolute error on universes that nothing was learnt or chosen by"


def search(problems: Sequence[Problem], study: Study) -> Told:
    """The Pareto front of loss and cost (see ``pareto.Front``), equal on all ranks.

    Raises:
        ProblemError: when there is no problem, they do not share one data set, or nothing was learnt.
        DatasetError: when the data set is not whole.
    """
    rungs = _in_order_of_cost(problems)
    return climb(rungs, _material(rungs[0], study.data_folder), study).told


def climb(rungs: Sequence[Problem], material: Material, study: Study) -> Front:
    """The front of problems that learn from the same material, cheapest first; equal on all ranks."""
    plan = _agreed_plan(rungs, material, study)
    if study.rank == 0:
        mend_journal(study.folder)
    found: list[Rung] = []
    below: Floor | None = None
    num_trials = num_pruned = 0
    for number, problem in enumerate(rungs):
        task = _task(number, problem, below, material, plan, study)
        rung, journal = _do(task, study)
        found.append(rung)
        below = Floor(candidate=task.candidates[rung.model["depth"]], folder=task.folder)
        num_trials += journal.num_begun
        num_pruned += journal.num_pruned
    front = Front(
        subject=_subject(rungs[0], material),
        metric=_METRIC,
        method=_method(plan, study),
        num_trials=num_trials,
        num_pruned=num_pruned,
        rungs=tuple(found),
        baselines=_baselines(material),
    )
    # Ranks count trials at slightly different moments; all tell what the first one does.
    return front_of(study.gather(front.told)[0])


def _do(task: RungTask, study: Study) -> tuple[Rung, TrialJournal]:
    """Do one rung together with the other ranks."""
    task.folder.mkdir(parents=True, exist_ok=True)
    if study.rank == 0:
        _journal(task, study).begin(task.first)
    # What was chosen once stays chosen: networks that are trained already are of that choice.
    chosen = study.gather(_kept_choice(task))[0]
    journal = _journal(task, study)
    if not chosen:
        chosen = _choose(task, journal, study)
    choice = task.choice_of(chosen)
    train_seeds(task, choice, study.rank, study.num_ranks, study.progress)
    study.gather({})
    return outcome(task, choice), journal


def _choose(task: RungTask, journal: TrialJournal, study: Study) -> Told:
    start_ns = steady_ns()
    try_choices(task, journal, lambda: (steady_ns() - start_ns) / 1e9 > task.budget_s, study.progress)
    study.gather({})
    if not journal.num_complete:
        raise ProblemError(f"{task.name}: no network gave a number; use more universes or a smaller model.")
    chosen = study.gather(journal.best)[0]
    if study.rank == 0:
        write_checked_json(task.folder / _CHOICE, chosen)
    study.gather({})
    return chosen


def _kept_choice(task: RungTask) -> Told:
    try:
        return read_checked_json(task.folder / _CHOICE)
    except DatasetError:
        return {}


def _journal(task: RungTask, study: Study) -> TrialJournal:
    return TrialJournal(study.folder, task.folder.name, task.space, seed=study.seed + study.rank)


def _task(
    number: int, problem: Problem, below: Floor | None, material: Material, plan: SearchPlan, study: Study
) -> RungTask:
    """A rung's task, in a folder that is named by all that decides it."""
    decisive = {
        "problem": [[*problem.data.entries], [*problem.model.entries]],
        "below": below.folder.name if below else "",
        "plan": {name: value for name, value in asdict(plan).items() if name != "rung_budgets_s"},
        "seed": study.seed,
    }
    text = json.dumps(decisive, sort_keys=True)
    return RungTask(
        name=f"rung {number + 1} ({cost_of(problem):.3g} FLOP a sample)",
        target_flops_per_sample=cost_of(problem),
        candidates=candidates(problem),
        below=below,
        material=material,
        plan=plan,
        budget_s=plan.rung_budgets_s[number],
        folder=study.folder / f"rung-{hashlib.sha256(text.encode()).hexdigest()[:12]}",
        device=study.device,
        seed=study.seed,
    )


def _in_order_of_cost(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """One problem of each cost, cheapest first."""
    if not problems:
        raise ProblemError("there is no problem to search a model for; give the sweep a model axis.")
    data = {problem.data for problem in problems}
    if len(data) > 1:
        raise ProblemError(
            f"the problems have {len(data)} data sets, but losses compare on one only; search along the "
            "model axis alone."
        )
    by_cost = {cost_of(problem): problem for problem in problems}
    return tuple(by_cost[cost] for cost in sorted(by_cost))


def _material(problem: Problem, data_folder: Path) -> Material:
    definition = definition_of(problem)
    with open_dataset(definition, data_folder) as dataset:
        return parted(read_examples(dataset, at_most=max(1, MOST_BYTES // definition.sample_bytes)))


def parted(examples: Examples) -> Material:
    """Samples in three parts, none of which shows a universe of another.

    Raises:
        ProblemError: when the universes are too few for that.
    """
    rest, judged = examples.split(_JUDGED_SHARE)
    train, validation = rest.split(_JUDGED_SHARE)
    return Material(train=train, validation=_some(validation), judged=_some(judged))


def _some(examples: Examples) -> Examples:
    return examples.rows(range(min(len(examples), _MOST_JUDGED)))


def _agreed_plan(rungs: Sequence[Problem], material: Material, study: Study) -> SearchPlan:
    """The plan that the first rank makes from its pace, or has made before."""
    told = _known_plan(rungs, material, study) if study.rank == 0 else {}
    parts = dict(study.gather(told)[0])
    return SearchPlan(**{**parts, "rung_budgets_s": tuple(parts["rung_budgets_s"])})


def _known_plan(rungs: Sequence[Problem], material: Material, study: Study) -> dict[str, Any]:
    costs = [cost_of(problem) for problem in rungs]
    path = study.folder / "plan.json"
    try:
        content = read_checked_json(path)
        if (content["costs"], content["budget_s"]) == (costs, study.budget_s):
            return dict(content["plan"])
    except DatasetError:
        pass  # None, or a damaged one: it is made anew.
    batch = min(BATCH, len(material.train))
    plan = planned(
        _pace(rungs, material, batch, study),
        budget_s=study.budget_s,
        num_ranks=study.num_ranks,
        num_samples=len(material.train),
        batch=batch,
    )
    told = {**asdict(plan), "rung_budgets_s": [*plan.rung_budgets_s]}
    write_checked_json(path, {"costs": costs, "budget_s": study.budget_s, "plan": told})
    return told


def _pace(rungs: Sequence[Problem], material: Material, batch: int, study: Study) -> Pace:
    steps_s, judging_s = [], []
    for problem in rungs:
        architecture = CosmoFlowShape.from_problem(problem).architecture()
        plan = standard_plan(architecture, num_steps=_PACE_STEPS + 1, seed=study.seed, batch=batch)
        learner = Learner(plan, material.train, study.device)
        learner.advance(1)  # The first step also prepares kernels and memory.
        start_ns = steady_ns()
        learner.advance(_PACE_STEPS)
        trained_ns = steady_ns()
        Milestones(learner, material.validation).reach(_PACE_STEPS + 1)
        steps_s.append(max(1, trained_ns - start_ns) / 1e9 / _PACE_STEPS)
        judging_s.append((steady_ns() - trained_ns) / 1e9)
    return Pace(steps_s=tuple(steps_s), judging_s=tuple(judging_s))


def _baselines(material: Material) -> dict[str, float]:
    found = {"constant": _mean(constant_errors(material.train, material.judged))}
    if len(set(material.train.universes.tolist())) >= FEWEST_UNIVERSES:
        found["ridge"] = _mean(ridge_errors(material.train, material.judged))
    return found


def _mean(errors: Errors) -> float:
    return sum(errors) / len(errors)


def _subject(problem: Problem, material: Material) -> str:
    shape = CosmoFlowShape.from_problem(problem)
    universes = len(set(material.train.universes.tolist()))
    return (
        f"{len(material.train)} samples of {shape.resolution}^3 x {shape.channels} from {universes} universes"
    )


def _method(plan: SearchPlan, study: Study) -> str:
    return (
        f"ASHA and TPE over depth, learning rate and start (anew, or grown from the rung below): "
        f"{plan.num_trials} trials of at most {plan.num_steps} steps of {plan.batch} samples for each cost "
        f"on {study.num_ranks} ranks, then {plan.num_seeds} seeds; budget {study.budget_s:g} s"
    )

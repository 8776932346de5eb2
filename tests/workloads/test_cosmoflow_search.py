import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from augment.problem import Problem, ProblemError, Shape
from cosmology.definition import DatasetError
from tests.workloads import search_rank
from tests.workloads.learning_samples import examples
from tests.workloads.search_rank import BUDGET_S, NUM_UNIVERSES
from workloads.cosmoflow.pareto import Front, front_of
from workloads.cosmoflow.search import climb, parted, search
from workloads.cosmoflow.search_plan import MOST_EPOCHS, NUM_SEEDS, RESOURCES, Pace, planned
from workloads.cosmoflow.search_space import TOLERANCE, candidates, cost_of
from workloads.cosmoflow.trial_journal import TrialJournal, mend_journal
from workloads.studying import Study

ROOT = Path(__file__).parents[2]
SPACE = {"x": FloatDistribution(0, 1)}


def problem(width: int = 8, **data: int) -> Problem:
    sizes = {"samples": 60, "resolution": 8, "channels": 2, "universes": 60, **data}
    return Problem(data=Shape.of(sizes), model=Shape.of(depth=1, width=width))


def alone(folder: Path) -> Study:
    return Study(
        rank=0,
        num_ranks=1,
        device="cpu",
        seed=1,
        data_folder=folder,
        folder=folder,
        budget_s=1,
        gather=lambda told: (told,),
        progress=lambda text: None,
    )


def ranks(folder: Path, num_ranks: int = 2) -> list[subprocess.Popen[str]]:
    (folder / "meeting").unlink(missing_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [sys.executable, str(ROOT / "tests/workloads/search_rank.py"), str(rank), str(num_ranks), folder],
            env=environment,
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for rank in range(num_ranks)
    ]


def told_by(processes: list[subprocess.Popen[str]]) -> list[Front]:
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), outputs
    return [front_of(json.loads(out)) for out, _ in outputs]


@pytest.mark.slow
def test_a_killed_search_goes_on_with_more_ranks_and_all_tell_the_same(tmp_path: Path) -> None:
    (begun,) = ranks(tmp_path, 1)
    assert begun.stderr is not None
    # Libraries may warn before; behind this line it is at work on another trial.
    assert any("trial 0" in line for line in iter(begun.stderr.readline, ""))
    begun.kill()
    begun.communicate()
    before = (tmp_path / "journal.log").read_bytes()
    first, second = told_by(ranks(tmp_path))
    assert first == second
    assert (tmp_path / "journal.log").read_bytes().startswith(before[: before.rfind(b"\n") + 1])
    assert len(first.rungs) == 2
    assert first.rungs[1].flops_per_sample > 1.5 * first.rungs[0].flops_per_sample
    assert all(len(rung.losses) == NUM_SEEDS for rung in first.rungs)
    assert 2 * 2 <= first.num_trials <= 9 * 2 + 2
    said: list[str] = []
    study = replace(alone(tmp_path), budget_s=BUDGET_S, progress=said.append)
    assert climb(search_rank.rungs(), parted(examples(NUM_UNIVERSES)), study).rungs == first.rungs
    assert not [text for text in said if "trial" in text]  # everything was known


def test_problems_with_several_data_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="2 data sets"):
        search([problem(), problem(samples=120)], alone(tmp_path))
    with pytest.raises(ProblemError, match="no problem"):
        search([], alone(tmp_path))


def test_data_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="manifest"):
        search([problem()], alone(tmp_path))


def test_candidates_cost_what_the_problem_costs_and_differ_in_depth() -> None:
    found = candidates(problem(width=24))
    assert len(found) > 2
    assert found[1].model == {"depth": 1, "width": 24}
    for depth, candidate in found.items():
        assert candidate.depth == depth == 1 + candidate.architecture.residuals_per_stage
        assert abs(candidate.flops_per_sample / cost_of(problem(width=24)) - 1) <= TOLERANCE


def test_universes_that_losses_are_of_are_learnt_and_chosen_by_nowhere() -> None:
    material = parted(examples(40))
    parts = [set(part.universes) for part in (material.train, material.validation, material.judged)]
    assert sum(len(part) for part in parts) == len(set.union(*parts)) == 40
    with pytest.raises(ProblemError, match="more universes"):
        parted(examples(3))


def test_more_ranks_or_more_time_buy_more_steps_up_to_a_limit() -> None:
    pace = Pace(steps_s=(0.01, 0.04), judging_s=(0.1, 0.2))

    def steps(budget_s: float, num_ranks: int = 1) -> int:
        plan = planned(pace, budget_s=budget_s, num_ranks=num_ranks, num_samples=64, batch=16)
        assert plan.milestones == tuple(sorted(plan.milestones))
        assert plan.milestones[-1] == plan.num_steps
        assert plan.rung_budgets_s[1] == pytest.approx(4 * plan.rung_budgets_s[0])
        return plan.num_steps

    assert steps(1) < steps(60) < steps(60, num_ranks=3) < steps(1e6)
    assert steps(1e6) == MOST_EPOCHS * 4


def test_a_journal_that_was_torn_is_read_up_to_the_tear(tmp_path: Path) -> None:
    journal = TrialJournal(tmp_path, "one", SPACE, seed=0)
    journal.begin([])
    journal.follow(journal.ask(), lambda resource: 0.5)
    path = tmp_path / "journal.log"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code":4,"trial_id"')
    path.with_name("journal.log.lock").symlink_to(path)
    mend_journal(tmp_path)
    assert path.read_bytes() == whole
    again = TrialJournal(tmp_path, "one", SPACE, seed=0)
    again.follow(again.ask(), lambda resource: 0.4)
    assert again.num_complete == 2


@pytest.mark.parametrize("text", [b"", b'{"op_co'])
def test_a_journal_without_a_whole_line_is_empty(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "journal.log").write_bytes(text)
    mend_journal(tmp_path)
    assert (tmp_path / "journal.log").read_bytes() == b""


def test_trials_of_killed_ranks_are_tried_again_from_where_they_were(tmp_path: Path) -> None:
    killed = TrialJournal(tmp_path, "one", SPACE, seed=0)
    killed.begin([{"x": 0.25}])
    trial = killed.ask()
    assert trial.params == {"x": 0.25}
    again = TrialJournal(tmp_path, "one", SPACE, seed=0)
    again.begin([{"x": 0.25}])
    continued = again.ask()
    assert continued.params == trial.params
    assert continued.number != trial.number
    assert again.number_of(continued) == trial.number
    assert again.num_begun == 1


def test_trials_are_left_behind_when_others_were_better_and_never_when_best(tmp_path: Path) -> None:
    journal = TrialJournal(tmp_path, "one", SPACE, seed=0)
    journal.begin([])
    errors = (0.5, 0.4, 0.6, 0.3, 0.45, float("nan"))
    asked: list[list[int]] = []

    def judged(error: float) -> bool:
        asked.append([])

        def judge(resource: int) -> float:
            asked[-1].append(resource)
            return error

        return journal.follow(journal.ask(), judge)

    assert [judged(error) for error in errors] == [True, True, False, True, False, False]
    assert asked[1] == [*RESOURCES]
    assert asked[2] == asked[5] == [1]
    assert (journal.num_begun, journal.num_complete, journal.num_pruned) == (6, 3, 3)
    states = [trial.state for trial in journal._study.trials]
    assert states.count(TrialState.PRUNED) == 3

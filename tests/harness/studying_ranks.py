"""Ranks that study problems whose data say how that goes; the worker of test_study_ranks."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mpi4py import MPI

from augment.problem import Problem
from saih.domain.errors import SaihError
from saih.harness.events import tell
from saih.harness.job_run import run_job
from saih.store.job_file import read_job
from workloads.protocol import Told
from workloads.studying import Study


class Studying:
    """An application that gathers one gate from each rank; ``fault`` of the model says how it ends."""

    def generate(self, *_: Any) -> None:
        raise NotImplementedError

    def seal(self, *_: Any) -> None:
        raise NotImplementedError

    def prepare(self, *_: Any) -> Any:
        raise NotImplementedError

    def validate(self, problem: Problem, study: Study) -> Told:
        fault = problem.model["fault"]
        done = study.folder / f"rank-{study.rank}"
        if fault == "error":
            raise ValueError("no such problem")
        if fault == "one-rank" and study.rank == 1:
            raise ValueError("rank 1 alone")
        if fault == "means":
            group = study.means.join(study.num_ranks)
            study.gather({"memory_bytes": study.means.memory_bytes, "size": group.size()})
            return {
                "is_twin": False,
                "subject": str(problem.model["width"]),
                "required": ["G0"],
                "gates": [_gate("G0", f"{group.size()} ranks, {study.means.memory_bytes < sys.maxsize}")],
            }
        if fault == "slow" and not done.exists():
            done.write_text("begun")
            study.progress("begun")
            time.sleep(60)
        if fault == "late-rank" and study.rank == 1:
            time.sleep(1.5)
        told = study.gather({"rank": study.rank, "had": done.exists()})
        gates = [_gate(f"G{one['rank']}", "went on" if one["had"] else "fresh") for one in told]
        if fault == "one-rank-late" and study.rank == 1:
            raise ValueError("rank 1 alone, at last")
        verdict = {"is_twin": False, "subject": str(problem.model["width"])}
        return {**verdict, "required": ["G0"], "gates": gates, **({"odd": 1} if fault == "odd" else {})}

    def search(self, problems: Sequence[Problem], study: Study) -> Told:
        costs = [float(problem.model["width"]) for problem in problems]
        losses = [one["loss"] for one in study.gather({"loss": 0.3 + 0.1 * study.rank})]
        return {
            "subject": "made up",
            "metric": "loss",
            "method": "none",
            "num_trials": len(losses),
            "num_pruned": 0,
            "baselines": {},
            "rungs": [_rung(cost, losses) for cost in costs],
            "deepened": [],
        }


def _gate(name: str, statement: str) -> dict[str, object]:
    parts = {"title": name, "verdict": "passed", "figures": {"error": 0.5}}
    return {"name": name, **parts, "statement": statement, "duration_s": 0.0}


def _rung(cost: float, losses: list[float]) -> dict[str, object]:
    return {
        "target_flops_per_sample": cost,
        "flops_per_sample": cost,
        "model": {"width": int(cost)},
        "label": f"width {cost:g}",
        "settings": {},
        "warm_start": "",
        "seeds": list(range(len(losses))),
        "losses": losses,
        "loss": {
            "low": min(losses),
            "value": losses[0],
            "high": max(losses),
            "level": 0.95,
            "count": len(losses),
        },
        "is_on_front": True,
    }


def main(path: str) -> int:
    try:
        run_job(read_job(Path(path)), {"studied": Studying()}, MPI.COMM_WORLD)
    except SaihError as error:
        tell("error", kind=type(error).__name__, problem=error.problem, remedy=error.remedy)
        return error.exit_code
    return 0


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.exit(main(sys.argv[1]))

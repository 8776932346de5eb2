"""The fastest execution of a member on this machine, as ``saih tune`` finds it."""

import tempfile
from pathlib import Path

import yaml

from benchmarks.saih_command import saih
from benchmarks.training_contest import Member
from saih.domain.tuning import Tuned
from saih.store.tuned_file import EXECUTIONS, decode_tuned
from workloads.execution import Execution

SEARCH_S, QUICK_SEARCH_S = 20.0, 15.0
"""The first is the default of ``saih tune``."""


def found_execution(member: Member, search_s: float = SEARCH_S) -> Execution:
    """Its settings, searched anew; what was tried is told on stderr."""
    return searched(member, search_s).execution


def searched(member: Member, search_s: float) -> Tuned:
    """What a search of about so many seconds finds."""
    with tempfile.TemporaryDirectory(prefix="saih-tuned-") as name:
        folder = Path(name)
        (folder / "sweep.yaml").write_text(yaml.safe_dump(_sweep(member, search_s)), encoding="utf-8")
        saih(folder, ["tune", "sweep.yaml", "--budget", str(search_s)])
        (path,) = (folder / "results" / EXECUTIONS).rglob("*.json")
        return decode_tuned(path.read_bytes(), path)


def _sweep(member: Member, search_s: float) -> dict[str, object]:
    problem = member.problem
    return {
        "name": "tuned",
        "workload": "cosmoflow",
        "base": {"data": dict(problem.data), "model": dict(problem.model)},
        "run": {
            "batch_per_rank": member.batch,
            "precision": "float32",
            "exchange": "none",
            "seed": 1,
            "execution": "tuned",
            "input": "synthetic",
        },
        "placement": {"threads_per_rank": member.threads, "device": member.device},
    }

"""From what the tasks found to the verdict of each gate, or why it was not run."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from workloads.cosmoflow.gate_tasks import FEWEST_OVERFIT, OVERFIT_STEPS, Case
from workloads.cosmoflow.gates import (
    Gate,
    Verdict,
    judge_baselines,
    judge_data,
    judge_escape,
    judge_final,
    judge_growth,
    judge_losses,
    judge_overfit,
    judge_shuffled,
    judge_start,
    not_run,
)
from workloads.cosmoflow.probe import Probe
from workloads.cosmoflow.study_notes import Note
from workloads.cosmoflow.study_subject import LEAST_STEPS, LEAST_UNIVERSES

Found = Mapping[str, Note]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """All that verdicts rest on."""

    case: Case
    num_steps: int
    budget_s: float
    found: Found

    @property
    def obstacle(self) -> str:
        """Why nothing was trained; empty where something was."""
        if self.num_steps:
            return ""
        universes = self.case.subject.train.num_universes
        if universes < LEAST_UNIVERSES:
            return (
                f"{universes} universes are too few to learn from (at least {LEAST_UNIVERSES}); a longer "
                "budget makes more"
            )
        return f"{self.budget_s:g} s are too short for {LEAST_STEPS} steps of each training"


def verdicts(case: Case, num_steps: int, budget_s: float, found: Found) -> list[Gate]:
    """All gates, in order."""
    bench = _Bench(case=case, num_steps=num_steps, budget_s=budget_s, found=found)
    judges: Mapping[str, tuple[Callable[[_Bench], Gate], tuple[str, ...]]] = {
        "G0": (_start, ("start",)),
        "G1": (_overfit, ("overfit",)),
        "G2": (_baselines, ("baselines",)),
        "G3": (_escape, ("main",)),
        "G4": (_shuffled, ("shuffled",)),
        "G5": (_final, ("main",)),
        "G6": (_losses, ("main",)),
        "G7": (_growth, ("half", "quarter", "one-redshift", "half-side")),
        "G8": (_data, ("data",)),
    }
    gates = []
    for judge, names in judges.values():
        duration_s = sum(float(found[name]["duration_s"]) for name in names if name in found)
        gates.append(replace(judge(bench), duration_s=duration_s))
    return gates


def _start(bench: _Bench) -> Gate:
    signs = {name: value for name, value in bench.found["start"].items() if name != "duration_s"}
    return judge_start(Probe(**signs))


def _overfit(bench: _Bench) -> Gate:
    note = bench.found["overfit"]
    if note["samples"] < FEWEST_OVERFIT:
        return not_run("G1", f"{note['samples']} samples are fewer than {FEWEST_OVERFIT}")
    if "error" not in note:
        return not_run("G1", _late(bench))
    error = math.inf if note["error"] is None else float(note["error"])
    return judge_overfit(error, note["samples"], OVERFIT_STEPS)


def _baselines(bench: _Bench) -> Gate:
    note = bench.found["baselines"]
    if "ridge" not in note:
        return not_run("G2", f"{note['seen']} universes are too few for a ridge")
    return judge_baselines(note["constant"], note["ridge"], note["seen"], note["judged"])


def _escape(bench: _Bench) -> Gate:
    if bench.obstacle:
        return not_run("G3", bench.obstacle)
    note = bench.found["main"]
    half = bench.num_steps // 2 + 1
    within = [error for step, error in note["checks"] if step <= half]
    is_decided = len(note["losses"]) >= bench.num_steps // 2
    constant = bench.found["baselines"]["constant"]
    gate = judge_escape(min(within, default=1.0), constant, half, note["starts"])
    if gate.verdict is Verdict.FAILED and not is_decided and None not in note["losses"]:
        return not_run("G3", _late(bench, "main"))
    return gate


def _shuffled(bench: _Bench) -> Gate:
    if bench.obstacle:
        return not_run("G4", bench.obstacle)
    error = bench.found["shuffled"]["error"]
    if error is None:
        return not_run("G4", _late(bench, "shuffled"))
    return judge_shuffled(error, bench.found["baselines"]["constant"])


def _final(bench: _Bench) -> Gate:
    if bench.obstacle:
        return not_run("G5", bench.obstacle)
    note, baselines = bench.found["main"], bench.found["baselines"]
    if note["error"] is None:
        return not_run("G5", _unfinished(bench))
    return judge_final(
        note["error"],
        baselines["ridge"],
        is_reference=bench.case.subject.is_reference,
        num_steps=bench.num_steps,
    )


def _losses(bench: _Bench) -> Gate:
    if bench.obstacle:
        return not_run("G6", bench.obstacle)
    note = bench.found["main"]
    losses = [math.nan if loss is None else float(loss) for loss in note["losses"]]
    if note["error"] is None and all(map(math.isfinite, losses)):
        return not_run("G6", _unfinished(bench))
    return judge_losses(losses, note["train_error"] or 1.0, note["error"] or 1.0)


def _growth(bench: _Bench) -> Gate:
    """Errors by universes, by redshifts and by the side of grids in the same voxels."""
    if bench.obstacle:
        return not_run("G7", bench.obstacle)
    whole = bench.found["main"]["error"]
    if whole is None:
        return not_run("G7", _unfinished(bench))
    train = bench.case.subject.train
    last_universes = (f"{train.num_universes}", whole)
    courses = {
        "universes": [
            *_known(bench, "quarter", f"{train.num_universes // 4}"),
            *_known(bench, "half", f"{train.num_universes // 2}"),
            last_universes,
        ],
        "redshifts": [*_known(bench, "one-redshift", "1"), (f"{train.num_channels}", whole)],
        "side": [
            *_known(bench, "half-side", f"{train.resolution // 2}^3"),
            (f"{train.resolution}^3", whole),
        ],
    }
    return judge_growth(courses)


def _known(bench: _Bench, name: str, label: str) -> list[tuple[str, float]]:
    """The error of a training that came to its end."""
    error = bench.found[name]["error"] if name in bench.found else None
    return [] if error is None else [(label, float(error))]


def _data(bench: _Bench) -> Gate:
    note = bench.found["data"]
    return judge_data(note["faults"], note["checked"], note["figures"])


def _unfinished(bench: _Bench) -> str:
    """Why the training whose error counts has none."""
    if None in bench.found["main"]["losses"]:
        return "the loss is no number"
    if _escape(bench).verdict is Verdict.FAILED:
        return "learning did not leave the plateau"
    return _late(bench, "main")


def _late(bench: _Bench, name: str = "") -> str:
    done = f" after {len(bench.found[name]['losses'])} steps" if name else ""
    return f"the time of {bench.budget_s:g} s was over{done}"

"""Studies that nobody ran, as plausible values."""

from saih.domain.interval import Interval
from saih.domain.study import Findings, Frontier, Gate, GateVerdict, Learned, Search, StudyPlan, Validation

TITLES = (
    "signals pass at the start",
    "a few samples are learnt by heart",
    "the data tell something",
    "learning leaves the plateau",
    "shuffled labels teach nothing",
    "the network beats the ridge",
    "the loss falls",
    "more data, no more error",
    "the data are sound",
)
FINISHED = "2026-11-21T12:00:00.000000+00:00"


def findings(verdicts: str = "pppppfppp") -> Findings:
    """Gates G0 to G8, each passed (p), failed (f) or not run (n)."""
    names: dict[str, GateVerdict] = {"p": "passed", "f": "failed", "n": "not run"}
    gates = tuple(
        Gate(
            name=f"G{number}",
            title=TITLES[number],
            verdict=names[letter],
            figures={"error": 0.3 + number / 100},
            statement=f"the error is {0.3 + number / 100:.3f}",
            duration_s=1.5 * number,
        )
        for number, letter in enumerate(verdicts)
    )
    return Findings(
        subject="the problem itself: 1024 samples of 16^3 x 4 from 1024 universes",
        is_twin=False,
        required=("G0", "G2", "G3"),
        gates=gates,
    )


def validation(subject_id: str, verdicts: str = "pppppfppp") -> Validation:
    return Validation(
        subject_id=subject_id,
        environment_id="0011223344556677",
        num_ranks=2,
        plan=StudyPlan(budget_s=300.0),
        findings=findings(verdicts),
        finished_utc=FINISHED,
    )


def learned(cost: float, loss: float, *, is_on_front: bool = True, label: str = "") -> Learned:
    losses = (loss - 0.01, loss, loss + 0.01)
    return Learned(
        target_flops_per_sample=cost,
        flops_per_sample=1.03 * cost,
        model={"depth": 1, "width": 8},
        label=label or f"width {round(cost / 1e6)}, depth 1",
        settings={"learning_rate": 0.002},
        warm_start="from width 8, depth 1" if cost > 2e7 else "",
        seeds=(0, 1, 2),
        losses=losses,
        loss=Interval(low=loss - 0.02, value=loss, high=loss + 0.02, level=0.95, count=3),
        is_on_front=is_on_front,
    )


def search() -> Search:
    frontier = Frontier(
        subject="256 universes of 16^3 x 4",
        metric="validation mean absolute error",
        method="ASHA over depth, width and rate, 600 s",
        num_trials=40,
        num_pruned=28,
        baselines={"constant": 0.5, "ridge": 0.34},
        rungs=(
            learned(1e7, 0.42),
            learned(4e7, 0.38),
            learned(16e7, 0.39, is_on_front=False),
            learned(64e7, 0.33),
        ),
        deepened=(learned(4e7, 0.5, is_on_front=False, label="width 4, depth 8"),),
    )
    return Search(
        environment_id="0011223344556677",
        num_ranks=2,
        plan=StudyPlan(budget_s=600.0),
        frontier=frontier,
        finished_utc=FINISHED,
    )

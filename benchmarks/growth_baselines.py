"""A network against what needs none: the constant predictor, and a ridge on power spectra and counts.

All see the same universes, and are judged on the same others. The network learns for a stated number of
samples; the time that this took is printed beside its errors. With ``--keep FOLDER`` it is saved as it
learns: a benchmark that was ended goes on where it was.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from benchmarks.bars import judge
from benchmarks.growth_data import examples_of, whole_boxes
from benchmarks.kept_results import of_sources
from workloads.cosmoflow.baselines import constant_errors, ridge_errors
from workloads.cosmoflow.evaluation import Errors
from workloads.cosmoflow.examples import Examples
from workloads.cosmoflow.learning import Learner, LearningPlan
from workloads.cosmoflow.members import member
from workloads.cosmoflow.optimizers import Optimizer
from workloads.cosmoflow.recipe import standard_plan
from workloads.precision import Precision

NUM_VIEWS = 8
"""Symmetric views of a sample, whose predictions are averaged."""
_STEPS_TOGETHER = 500
"""Progress is told, and the network saved, after so many."""
_SOURCES = ("augment", "cosmology", "workloads")
"""What decides how a network learns, besides what its name says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is learnt from, and for how long."""

    side: int
    num_universes: int
    num_judged: int
    width: int
    num_steps: int
    seeds: tuple[int, ...]
    optimizer: Optimizer = Optimizer.ADAM


FULL = (
    Scale(side=16, num_universes=1536, num_judged=338, width=16, num_steps=4000, seeds=(1,)),
    Scale(
        side=32,
        num_universes=1536,
        num_judged=338,
        width=16,
        num_steps=16000,
        seeds=(1,),
        optimizer=Optimizer.MUON,
    ),
)
QUICK = (Scale(side=16, num_universes=384, num_judged=96, width=16, num_steps=1400, seeds=(1,)),)


def main(arguments: Sequence[str]) -> int:
    """Print the table and bars; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--side", type=int, help="only grids of this side")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="of networks, saved as they learn")
    options = parser.parse_args(arguments)
    scales = QUICK if options.quick else FULL
    reached = [_compare(scale, options.keep) for scale in scales if options.side in (None, scale.side)]
    return 0 if all(reached) else 1


def _compare(scale: Scale, folder: Path | None) -> bool:
    examples = examples_of(whole_boxes(scale.side, scale.num_universes))
    train, judged = examples.split(scale.num_judged / scale.num_universes)
    print(
        f"{len(train)} universes of {scale.side}^3 x 4 to learn from, {len(judged)} others to judge by; "
        "mean absolute errors of normalised targets"
    )
    print(f"{'predictor':38s} Omega_m  sigma_8  n_s      H_0      mean     [s]")
    constant = _row("constant", lambda: constant_errors(train, judged))
    ridge = _row("ridge on P(k) and counts", lambda: ridge_errors(train, judged))
    networks = [_mean(_network(scale, seed, train, judged, folder)) for seed in scale.seeds]
    network = float(np.mean(networks))
    reached = [
        judge(f"network over constant predictor at {scale.side}^3", network / _mean(constant), "", "<", 0.95),
        judge(f"network over ridge at {scale.side}^3", network / _mean(ridge), "", "<=", 1.0),
    ]
    return all(reached)


def _network(scale: Scale, seed: int, train: Examples, judged: Examples, folder: Path | None) -> Errors:
    architecture = member(scale.side, 4, 1, scale.width)
    standard = standard_plan(architecture, num_steps=scale.num_steps, seed=seed)
    plan = replace(standard, optimizer=scale.optimizer, precision=Precision.BFLOAT16, kernels="own")
    learner = Learner(plan, train)
    name = f"network of width {scale.width}, {scale.num_steps * plan.batch} samples"

    def trained() -> Errors:
        _learn(learner, folder / _name(scale, plan) if folder else None)
        return learner.mean_absolute_errors(judged)

    _row(name, trained)
    return _row(
        f"... mean of {NUM_VIEWS} symmetric views",
        lambda: learner.mean_absolute_errors(judged, num_views=NUM_VIEWS),
    )


def _learn(learner: Learner, path: Path | None) -> None:
    """To the end of its plan, beginning with what was saved."""
    if path and path.exists():
        learner.load(path)
        print(f"  goes on after {learner.num_steps_done} steps, whose time is not in that below", flush=True)
    while learner.num_steps_done < learner.plan.num_steps:
        losses = learner.advance(_STEPS_TOGETHER)
        if path:
            learner.save(path)
        done = f"{learner.num_steps_done} of {learner.plan.num_steps} steps"
        print(f"  {done}, mean squared error {np.mean(losses):.4f}", file=sys.stderr, flush=True)


def _name(scale: Scale, plan: LearningPlan) -> str:
    """Of the file of a network: others learn by another plan, from other samples or by other code."""
    of = of_sources(f"{plan}, {whole_boxes(scale.side, scale.num_universes)}, {scale.num_judged}", _SOURCES)
    return f"{scale.side}-{sha256(of.encode()).hexdigest()[:16]}.safetensors"


def _row(name: str, measure: Callable[[], Errors]) -> Errors:
    start = time.perf_counter()
    errors = measure()
    columns = "  ".join(f"{error:.4f} " for error in (*errors, _mean(errors)))
    print(f"{name:38s} {columns} {time.perf_counter() - start:.1f}", flush=True)
    return errors


def _mean(errors: Errors) -> float:
    return sum(errors) / len(errors)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A network against what needs none: the constant predictor, and a ridge on power spectra and counts.

All see the same universes, and are judged on the same others. The network learns for a stated number of
samples; the time that this took is printed beside its errors.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.bars import judge
from benchmarks.growth_data import examples_of, whole_boxes
from workloads.cosmoflow.baselines import constant_errors, ridge_errors
from workloads.cosmoflow.evaluation import Errors
from workloads.cosmoflow.examples import Examples
from workloads.cosmoflow.learning import Learner
from workloads.cosmoflow.members import member
from workloads.cosmoflow.recipe import standard_plan
from workloads.precision import Precision

NUM_VIEWS = 8
"""Symmetric views of a sample, whose predictions are averaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is learnt from, and for how long."""

    side: int
    num_universes: int
    num_judged: int
    width: int
    num_steps: int
    seeds: tuple[int, ...]


FULL = (
    Scale(side=16, num_universes=1536, num_judged=338, width=16, num_steps=4000, seeds=(1,)),
    Scale(side=32, num_universes=1536, num_judged=338, width=16, num_steps=4000, seeds=(1,)),
)
QUICK = (Scale(side=16, num_universes=384, num_judged=96, width=16, num_steps=1400, seeds=(1,)),)


def main(arguments: Sequence[str]) -> int:
    """Print the table and bars; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--side", type=int, help="only grids of this side")
    options = parser.parse_args(arguments)
    scales = QUICK if options.quick else FULL
    reached = [_compare(scale) for scale in scales if options.side in (None, scale.side)]
    return 0 if all(reached) else 1


def _compare(scale: Scale) -> bool:
    examples = examples_of(whole_boxes(scale.side, scale.num_universes))
    train, judged = examples.split(scale.num_judged / scale.num_universes)
    print(
        f"{len(train)} universes of {scale.side}^3 x 4 to learn from, {len(judged)} others to judge by; "
        "mean absolute errors of normalised targets"
    )
    print(f"{'predictor':38s} Omega_m  sigma_8  n_s      H_0      mean     [s]")
    constant = _row("constant", lambda: constant_errors(train, judged))
    ridge = _row("ridge on P(k) and counts", lambda: ridge_errors(train, judged))
    networks = [_mean(_network(scale, seed, train, judged)) for seed in scale.seeds]
    network = float(np.mean(networks))
    reached = [
        judge(f"network over constant predictor at {scale.side}^3", network / _mean(constant), "", "<", 0.95),
        judge(f"network over ridge at {scale.side}^3", network / _mean(ridge), "", "<=", 1.0),
    ]
    return all(reached)


def _network(scale: Scale, seed: int, train: Examples, judged: Examples) -> Errors:
    architecture = member(scale.side, 4, 1, scale.width)
    standard = standard_plan(architecture, num_steps=scale.num_steps, seed=seed)
    plan = replace(standard, precision=Precision.BFLOAT16)
    learner = Learner(plan, train)
    name = f"network of width {scale.width}, {scale.num_steps * plan.batch} samples"

    def trained() -> Errors:
        learner.advance(scale.num_steps)
        return learner.mean_absolute_errors(judged)

    _row(name, trained)
    return _row(
        f"... mean of {NUM_VIEWS} symmetric views",
        lambda: learner.mean_absolute_errors(judged, num_views=NUM_VIEWS),
    )


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

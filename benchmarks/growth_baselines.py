"""Networks against what needs none: the constant predictor, and a ridge on power spectra and counts.

All learn from the same universes, and are judged on the same others: universes of the validation split,
which never chose anything. The recipe was chosen by those of the training split that nothing here reads. Each
seed's network learns for a stated number of samples; the time that this took is printed beside its errors.
With ``--keep FOLDER`` it is saved as it learns: a benchmark that was ended goes on where it was.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.bars import judge
from benchmarks.growth_data import examples_of, whole_boxes
from benchmarks.growth_ratio import ratio_of_means
from benchmarks.kept_results import of_sources
from cosmology.definition import DatasetDefinition, Split
from workloads.cosmoflow.baselines import fit_ridge
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

Errors = NDArray[np.float64]
"""Absolute errors [universe, 4] of normalised targets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is learnt from, and for how long."""

    side: int
    num_universes: int
    """Of the training split."""
    num_left_out: int
    """The last of these, by which the recipe was chosen."""
    num_judged: int
    """Universes of the validation split."""
    width: int
    num_steps: int
    seeds: tuple[int, ...]
    optimizer: Optimizer = Optimizer.ADAM


_SMALL = Scale(
    side=16,
    num_universes=1536,
    num_left_out=338,
    num_judged=2048,
    width=16,
    num_steps=4000,
    seeds=(1, 2, 3),
)
FULL = (_SMALL, replace(_SMALL, side=32, num_steps=24000, optimizer=Optimizer.MUON))
QUICK = (
    Scale(side=16, num_universes=384, num_left_out=96, num_judged=96, width=16, num_steps=1400, seeds=(1,)),
)


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
    train, _ = examples_of(_learnt(scale)).split(scale.num_left_out / scale.num_universes)
    judged = examples_of(whole_boxes(scale.side, scale.num_judged, Split.VALIDATION))
    print(
        f"{len(train)} universes of {scale.side}^3 x 4 to learn from, {len(judged)} others to judge by; "
        "mean absolute errors of normalised targets"
    )
    print(f"{'predictor':44s} Omega_m  sigma_8  n_s      H_0      mean     [s]")
    middle = np.median(train.targets, axis=0)
    constant = _row("constant", judged, lambda: np.broadcast_to(middle, judged.targets.shape))
    ridge = _row("ridge on P(k) and counts", judged, lambda: fit_ridge(train).predictions(judged))
    networks = [_network(scale, seed, train, judged, folder) for seed in scale.seeds]
    return _judge(scale.side, [errors.mean(axis=1) for errors in (constant, ridge, *networks)])


def _judge(side: int, by_universe: list[NDArray[np.float64]]) -> bool:
    constant, ridge, *networks = by_universe
    over_ridge = ratio_of_means(np.stack(networks), ridge)
    low, high = over_ridge.interval
    print(f"network over ridge, seed by seed: {', '.join(f'{ratio:.3f}' for ratio in over_ridge.by_seed)}")
    print(f"95 % interval over seeds and universes: {low:.3f} to {high:.3f}")
    reached = [
        judge(
            f"network over constant predictor at {side}^3",
            float(np.mean(networks) / constant.mean()),
            "",
            "<",
            0.95,
        ),
        judge(f"network over ridge at {side}^3, mean of seeds", over_ridge.ratio, "", "<=", 1.0),
    ]
    return all(reached)


def _network(scale: Scale, seed: int, train: Examples, judged: Examples, folder: Path | None) -> Errors:
    """Errors of the mean over symmetric views; those of one view are printed above them."""
    standard = standard_plan(member(scale.side, 4, 1, scale.width), num_steps=scale.num_steps, seed=seed)
    plan = replace(standard, optimizer=scale.optimizer, precision=Precision.BFLOAT16, kernels="own")
    learner = Learner(plan, train)

    def trained() -> NDArray[np.float32]:
        _learn(learner, folder / _name(scale, plan) if folder else None)
        return learner.predictions(judged)

    name = f"network of width {scale.width}, {scale.num_steps * plan.batch} samples, seed {seed}"
    _row(name, judged, trained)
    return _row(
        f"... mean of {NUM_VIEWS} symmetric views",
        judged,
        lambda: learner.predictions(judged, num_views=NUM_VIEWS),
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
    of = of_sources(f"{plan}, {_learnt(scale)}, {scale.num_left_out}", _SOURCES)
    return f"{scale.side}-{sha256(of.encode()).hexdigest()[:16]}.safetensors"


def _learnt(scale: Scale) -> DatasetDefinition:
    return whole_boxes(scale.side, scale.num_universes)


def _row(name: str, judged: Examples, predict: Callable[[], NDArray[np.floating]]) -> Errors:
    start = time.perf_counter()
    errors = np.abs(predict().astype(np.float64) - judged.targets)
    columns = "  ".join(f"{error:.4f} " for error in (*errors.mean(axis=0), errors.mean()))
    print(f"{name:44s} {columns} {time.perf_counter() - start:.1f}", flush=True)
    return errors


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

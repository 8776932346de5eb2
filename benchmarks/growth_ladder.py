"""Growth that keeps its accuracy: the loss of a searched ladder from rung to rung, plain deepening beside it.

The search is the product's, by two ranks within a stated budget. Plain deepening puts convolutions one after
the other, without residual branches, up to the cost of each rung; it learns for as many steps.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from augment.problem import Problem, Shape
from benchmarks.bars import judge
from benchmarks.growth_data import examples_of, whole_boxes
from benchmarks.growth_plain import PlainNetwork
from benchmarks.growth_ranks import searched
from cosmology.definition import DatasetDefinition
from workloads.cosmoflow.learning import Learner
from workloads.cosmoflow.members import member, member_near
from workloads.cosmoflow.pareto import Front, Interval, Rung
from workloads.cosmoflow.recipe import standard_plan
from workloads.cosmoflow.search import parted

MOST_RISE = 0.02
"""A loss that rises by less from one rung to the next is held."""
WIDTHS = (4, 8, 16, 32)
"""Of members of depth 1, whose costs are the rungs."""
LEAST_FACTOR = 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is learnt from, and for how long."""

    side: int
    num_universes: int
    budget_s: float


FULL = Scale(side=16, num_universes=1536, budget_s=1200)
QUICK = Scale(side=16, num_universes=384, budget_s=20)


def main(arguments: Sequence[str]) -> int:
    """Print the table and bars; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    scale = QUICK if parser.parse_args(arguments).quick else FULL
    definition = whole_boxes(scale.side, scale.num_universes)
    examples_of(definition)
    with tempfile.TemporaryDirectory() as folder:
        front = searched(_rungs(scale), definition, Path(folder), scale.budget_s)
    print(f"\n{front.subject}; {front.metric}\n{front.method}")
    print(f"baselines: {', '.join(f'{name} {loss:.4f}' for name, loss in front.baselines.items())}")
    columns = f"{'FLOP a sample':>14s}  {'member':20s} {'begins':26s} rate     loss [95 % of seeds]"
    print(f"{columns}      deepened plainly")
    for rung in front.rungs:
        _print(rung, _deepened(rung, definition, scale.side))
    return 0 if all(_judged(front)) else 1


def _rungs(scale: Scale) -> tuple[Problem, ...]:
    data = Shape.of(
        samples=scale.num_universes, resolution=scale.side, channels=4, universes=scale.num_universes
    )
    return tuple(Problem(data=data, model=Shape.of(depth=1, width=width)) for width in WIDTHS)


def _judged(front: Front) -> list[bool]:
    rises = [later.loss.value / before.loss.value - 1 for before, later in pairwise(front.rungs)]
    costs = [rung.flops_per_sample for rung in front.rungs]
    last = front.rungs[-1].loss.value
    return [
        judge("rungs", len(front.rungs), "", ">=", 4),
        judge("cost from first to last rung", costs[-1] / costs[0], "x", ">=", LEAST_FACTOR),
        judge("largest rise of loss to the next rung", max(rises), "", "<=", MOST_RISE),
        judge("last rung over constant", last / front.baselines["constant"], "", "<", 0.95),
    ]


def _deepened(rung: Rung, definition: DatasetDefinition, side: int) -> tuple[int, float]:
    """Depth of the plain network of this cost, and its loss with the first seed."""
    depth = member_near(rung.target_flops_per_sample, resolution=side, channels=4, width=WIDTHS[0]).depth
    architecture = member(side, 4, depth, WIDTHS[0])
    material = parted(examples_of(definition))
    seed = rung.seeds[0]
    plan = standard_plan(architecture, num_steps=int(rung.settings["num_steps"]), seed=seed)
    learner = Learner(plan, material.train, start=PlainNetwork(architecture, seed))
    learner.advance(plan.num_steps)
    return depth, sum(learner.mean_absolute_errors(material.judged)) / 4


def _print(rung: Rung, deepened: tuple[int, float]) -> None:
    depth, plain = deepened
    print(
        f"{rung.flops_per_sample:14.3g}  {rung.label:20s} {rung.warm_start or 'anew':26s} "
        f"{rung.settings['learning_rate']:.1e}  {_text(rung.loss)}  {plain:.4f} (depth {depth})",
        flush=True,
    )


def _text(loss: Interval) -> str:
    return f"{loss.value:.4f} [{loss.low:.4f}, {loss.high:.4f}]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

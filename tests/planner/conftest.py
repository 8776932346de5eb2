"""Plans that the tests of planning share."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from augment.ladder import build
from augment.problem import Problem, Shape
from saih.config.rank_axis import doubling
from saih.domain.limits import Limits
from saih.domain.point import Placement, Timing
from saih.domain.scaling import RankLadder
from saih.domain.sweep import Sweep
from saih.planner.plan import Plan, make_plan

BASE = Sweep(
    name="tiny",
    workload="cosmoflow",
    base=Problem(
        data=Shape.of(samples=8, resolution=16, channels=1, universes=8), model=Shape.of(depth=1, width=4)
    ),
    ladders=(build("data", {"resolution": [16, 32]}, "zip"), build("model", {"width": [4, 8, 16]}, "zip")),
    batch_per_rank=2,
    precision="float32",
    exchange="ddp",
    placements=(Placement(nodes=4, ranks_per_node=2, data_parallel=8),),
    timing=Timing(budget_s=20.0),
    seed=1,
)

Planning = Callable[..., Plan]


def planned(
    widths: Sequence[int] = (4, 8, 16),
    *,
    placement: Placement = BASE.placements[0],
    budget_s: float = 20.0,
    scaling: str = "weak",
) -> Plan:
    """The plan of a sweep over models and ranks: widths x the doublings of a placement."""
    return make_plan(
        replace(
            BASE,
            ladders=(build("model", {"width": list(widths)}, "zip"),),
            placements=(placement,),
            timing=Timing(budget_s=budget_s, max_steps=1_000_000),
            rank_ladder=RankLadder(
                scaling="strong" if scaling == "strong" else "weak", ranks=doubling(placement)
            ),
        ),
        Limits(),
    )


@pytest.fixture(scope="session")
def planning() -> Planning:
    return planned


@pytest.fixture(scope="session")
def base_sweep() -> Sweep:
    return BASE

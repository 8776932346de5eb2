"""By the lines of seats devices get their parts: they hold all that forecasts keep devices busy with."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workloads.galaxy.plan_samples import clusters, small
from workloads.galaxy.forecasting.pass_times import PlanTimes
from workloads.galaxy.forecasting.ring_work import ring_tiles
from workloads.galaxy.memory import Load
from workloads.galaxy.plan import ParallelPlan, Strategy
from workloads.galaxy.planning.heuristic import even_split
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.planning.seats import seats_of
from workloads.galaxy.profile import ClusterProfile
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.split import Span

TILE_NS = 3e4
ARCHITECTURES = (small(), small(name="bert-base"))


def outside_layers_ns(problem: PlanProblem, plan: ParallelPlan) -> list[float]:
    """What devices are busy with before the first layer and behind the last."""
    load = problem.load
    times = PlanTimes.of(problem.architecture, plan, problem.cluster, load.itemsize)
    is_head_counted = plan.strategy is Strategy.HYBRID and load.num_tokens > plan.direct_rows
    return [
        work.embedding_ns(load.num_tokens)
        + work.norm_ns(load.num_tokens)
        + load.num_new_tokens * (work.embedding_ns(1) + work.norm_ns(1))
        + (work.head_ns(1) if is_head_counted else 0.0)
        for work in times.works
    ]


@given(
    clusters(least=2),
    st.sampled_from(ARCHITECTURES),
    st.sampled_from((Strategy.HYBRID, Strategy.TENSOR)),
    st.sampled_from(tuple(WireFormat)),
    st.integers(1, 4),
    st.builds(
        Load, num_tokens=st.integers(1, 60), itemsize=st.just(4), num_new_tokens=st.sampled_from((0, 3))
    ),
)
def test_lines_hold_all_that_a_device_does_in_a_layer(
    of: ClusterProfile,
    architecture: TransformerArchitecture,
    strategy: Strategy,
    wire: WireFormat,
    num_tiles: int,
    load: Load,
) -> None:
    of = replace(of, devices=tuple(replace(one, tile_ns=TILE_NS) for one in of.devices))
    plan = replace(even_split(architecture, of, strategy=strategy), num_tiles=num_tiles, wire=wire)
    load = replace(load, num_new_tokens=load.num_new_tokens if architecture.is_decoder else 0)
    problem = PlanProblem(architecture=architecture, cluster=of, load=load)
    tiles = ring_tiles(plan, load.num_tokens)
    if strategy is Strategy.TENSOR:
        tiles = ((Span(0, load.num_tokens),), *((),) * (len(plan.parts) - 1))
    seats = seats_of(problem, plan.devices, strategy, tiles, wire)
    layers_ns = [
        architecture.num_layers
        * (seat.attention.at(len(part.share.kv_heads)) + seat.mlp.at(len(part.share.ffn_columns)))
        for seat, part in zip(seats, plan.parts, strict=True)
    ]
    expected = [sum(both) for both in zip(layers_ns, outside_layers_ns(problem, plan), strict=True)]
    assert problem.forecast(plan).compute_ns == pytest.approx(expected, rel=1e-9)

import pytest

from saih.analyzer.rank_line import find_rank_lines
from saih.domain.point import Placement
from saih.domain.record import Outcome
from saih.domain.scaling import RankLadder
from saih.domain.trend import FailedPoint


@pytest.fixture
def member(synthetic, summary_of):
    def at(nodes, per_node, *, batch=4, exchange=None, **changes):
        ranks = nodes * per_node
        return summary_of(
            synthetic.point(
                batch_per_rank=batch,
                exchange=exchange or ("ddp" if ranks > 1 else "none"),
                placement=Placement(nodes=nodes, ranks_per_node=per_node, data_parallel=ranks),
                **changes,
            )
        )

    return at


def ranks_of(lines):
    return [[int(size) for size in line.sizes] for line in lines]


def test_a_batch_per_rank_that_stays_is_weak_scaling(member):
    (line,) = find_rank_lines([member(1, 2), member(1, 1), member(2, 2)], None)
    assert (line.scaling, line.exchange, line.sizes) == ("weak", "ddp", (1.0, 2.0, 4.0))


def test_a_global_batch_that_stays_is_strong_scaling(member):
    (line,) = find_rank_lines([member(1, 1, batch=8), member(1, 2, batch=4), member(2, 2, batch=2)], None)
    assert line.scaling == "strong"


def test_ranks_that_exchange_nothing_are_replicas(member):
    (line,) = find_rank_lines([member(1, 1), member(1, 2, exchange="none")], None)
    assert (line.scaling, line.exchange) == ("throughput", "none")


def test_one_rank_belongs_to_the_line_of_every_exchange(member):
    members = [member(1, 1), member(1, 2, exchange="ddp"), member(1, 2, exchange="horovod")]
    lines = find_rank_lines(members, None)
    assert [(line.exchange, line.sizes) for line in lines] == [("ddp", (1.0, 2.0)), ("horovod", (1.0, 2.0))]


def test_problems_seeds_and_threads_are_never_on_one_line(member):
    members = [member(1, 1), member(1, 2, seed=2), member(1, 4, rows=9)]
    assert find_rank_lines(members, None) == ()
    ladder = RankLadder(scaling="weak", ranks=(1, 2, 4))
    assert ranks_of(find_rank_lines(members, ladder)) == [[1], [2], [4]]
    assert [line.absent for line in find_rank_lines(members, ladder)] == [(2, 4), (1, 4), (1, 2)]


def test_placements_of_equally_many_ranks_are_on_lines_of_their_own(member):
    members = [member(*shape) for shape in ((1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (4, 1))]
    shapes = [
        [(one.point.placement.nodes, one.point.placement.ranks_per_node) for one in line.measured]
        for line in find_rank_lines(members, None)
    ]
    assert shapes == [[(1, 1), (2, 1), (4, 1)], [(1, 1), (1, 2), (2, 2)], [(1, 1), (1, 2), (1, 4)]]


def test_the_ladder_decides_where_the_points_could_be_either(member):
    ladder = RankLadder(scaling="strong", ranks=(1, 2, 4))
    members = [member(1, 1, batch=8), member(1, 2, batch=4)]
    (line,) = find_rank_lines(members, ladder)
    assert (line.scaling, line.absent) == ("strong", (4,))


def test_lines_without_a_measured_point_are_left_to_the_failures(member):
    measured = member(1, 2)
    failed = [
        FailedPoint(point=one.point, labels={}, outcome=Outcome.LOST, reason="", num_attempts=1)
        for one in (member(1, 1, rows=9), member(1, 2, rows=9), member(1, 1))
    ]
    (line,) = find_rank_lines([measured, *failed], None)
    assert line.measured == (measured,)
    assert [one.point.placement.num_ranks for one in line.unmeasured] == [1]


def test_ranks_that_divide_a_model_are_on_a_line_where_the_axis_says_so(synthetic, summary_of):
    placements = [Placement(ranks_per_node=ranks, tensor_parallel=ranks) for ranks in (1, 2, 4)]
    members = [summary_of(synthetic.point(placement=one, exchange="none")) for one in placements]
    (line,) = find_rank_lines(members, RankLadder(scaling="strong", ranks=(1, 2, 4), grows="tensor"))
    assert (line.scaling, line.sizes) == ("strong", (1.0, 2.0, 4.0))
    # All three work on the same samples: as long a step is as high a rate.
    rates = {round(member.samples_per_s.value * member.step_ns.value) for member in members}
    assert len(rates) == 1
    assert find_rank_lines(members, None) == ()

"""What more ranks bring along each line: speed-up, efficiency, and the limit that takes the rest."""

from collections.abc import Mapping

from saih.analyzer.efficiency import computation_scaling
from saih.analyzer.propagation import quotient
from saih.analyzer.rank_line import RankLine, num_ranks
from saih.analyzer.rise import find_rises, rising_limit
from saih.analyzer.scaling_words import sentences, unmeasured_words
from saih.domain.interval import Interval
from saih.domain.quantity import counted
from saih.domain.record import Phase
from saih.domain.trend import Limit, PointSummary, ScalingLine, ScalingRung


def scale(line: RankLine) -> ScalingLine:
    """Every measured rung of the line against its smallest one.

    With X samples/s on p ranks and X0 on the fewest measured, p0: speed-up S = X / X0, efficiency
    E = S p0 / p. By the kind of the line this is

    * strong: the samples of a step stay, so S = T0 / T and E = T0 p0 / (T p): Amdahl's speed-up (AFIPS 30,
      1967, 483) and the parallel efficiency that goes with it;
    * weak: they grow with p, so E = T0 / T and S = E p / p0: Gustafson's scaled speed-up (CACM 31, 1988,
      532);
    * throughput: independent replicas, whose rate is that of the slowest, as in SPECrate (SPEC CPU 2017 run
      rules): E is the share of its rate alone that a replica keeps.

    Speed-up and efficiency carry the intervals of both steps (``quotient``); they speak of these runs.
    """
    base = line.measured[0]
    rungs = tuple(_rung(point, base) for point in line.measured)
    rises: Mapping[Limit, Interval] = (
        find_rises(base, line.measured[-1], rungs[-1].efficiency) if len(rungs) > 1 else {}
    )
    rising = rising_limit(rises, rungs[-1].efficiency) if rises else None
    return ScalingLine(
        scaling=line.scaling,
        setting=setting_words(line),
        rungs=rungs,
        unmeasured=unmeasured_words(line),
        rises=rises,
        rising=rising,
        findings=sentences(line, rungs, rises, rising),
    )


def setting_words(line: RankLine) -> str:
    """What is the same at all points of the line but the problem itself."""
    point = line.measured[0].point
    batch = (
        f"global batch {point.batch_per_rank * point.placement.data_parallel}"
        if line.scaling == "strong"
        else f"batch {point.batch_per_rank} per rank"
    )
    threads = f"{counted(point.placement.threads_per_rank, 'thread')} per rank ({point.placement.device})"
    return f"{batch}, {point.run_words}, exchange {line.exchange}, {threads}, seed {point.seed}"


def _rung(point: PointSummary, base: PointSummary) -> ScalingRung:
    ranks = num_ranks(point)
    speedup = _one(point) if point is base else quotient(point.samples_per_s, base.samples_per_s)
    return ScalingRung(
        record_id=point.record_id,
        num_ranks=ranks,
        placement_label=point.point.placement.label,
        batch_per_rank=point.point.batch_per_rank,
        step_ns=point.step_ns,
        samples_per_s=point.samples_per_s,
        speedup=speedup,
        efficiency=speedup.scaled(num_ranks(base) / ranks),
        share_of_peak=point.share_of_peak,
        exposed_share=point.diagnosis.shares[Limit.INTERCONNECT],
        exposed_ns=point.phases_ns[Phase.COMMUNICATION],
        communication_ns=point.phases_ns.get(Phase.COMMUNICATION_TOTAL),
        balance=point.balance,
        limit=point.diagnosis.limit,
        pop=point.efficiency,
        computation_scaling=_computation_scaling(point, base),
    )


def _computation_scaling(point: PointSummary, base: PointSummary) -> Interval | None:
    if point.efficiency is None or base.efficiency is None:
        return None
    samples = (_samples_per_step(one) for one in (base, point))
    return computation_scaling(base.efficiency, point.efficiency, *samples)


def _samples_per_step(point: PointSummary) -> int:
    """Over all ranks."""
    return point.point.batch_per_rank * point.point.placement.data_parallel


def _one(base: PointSummary) -> Interval:
    """A rate over itself: exactly 1."""
    count, level = base.samples_per_s.count, base.samples_per_s.level
    return Interval(low=1.0, value=1.0, high=1.0, level=level, count=count)

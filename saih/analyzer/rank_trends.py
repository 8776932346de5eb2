"""How the step moves along the axis of ranks: the same component laws, of another family."""

from collections.abc import Callable, Mapping, Sequence

from saih.analyzer.division import grows_of, most_ranks
from saih.analyzer.rank_line import RankLine
from saih.analyzer.recombination import Family
from saih.analyzer.scaling import setting_words
from saih.analyzer.terms import EXCHANGE, OWN_WORK, SHARED_WORK, Library
from saih.analyzer.trends import Course, trends_along
from saih.domain.ceiling import Ceilings
from saih.domain.trend import RANKS_AXIS, Trend
from workloads import catalog
from workloads.protocol import Workload

SIZE_LABEL = "ranks"
FEWEST_THAT_EXCHANGE = 2.0


def find_rank_trends(
    lines: Sequence[RankLine],
    ceilings: Sequence[Ceilings] = (),
    find_workload: Callable[[str], Workload] = catalog.workload,
) -> tuple[Trend, ...]:
    """One trend for each line.

    Ceilings belong to one placement, so that no share of peak is foreseen at ranks that were not measured. In
    strong scaling the curves end where every rank has one sample, and of ranks that divide a model where it
    cannot be divided further.
    """
    by_placement = {found.placement_label: found for found in reversed(ceilings)}
    return trends_along([_course(line, by_placement, find_workload) for line in lines])


def _course(
    line: RankLine, ceilings: Mapping[str, Ceilings], find_workload: Callable[[str], Workload]
) -> Course:
    is_strong = line.scaling == "strong"
    return Course(
        axis=RANKS_AXIS,
        size_label=SIZE_LABEL,
        fixed=_fixed(line),
        points=line.measured,
        sizes=line.sizes,
        peak=None,
        family=_family(SHARED_WORK if is_strong else OWN_WORK),
        scaling=line.scaling,
        greatest=_greatest(line, find_workload),
        ceilings=ceilings.get(line.measured[-1].point.placement.seats_label),
    )


def _greatest(line: RankLine, find_workload: Callable[[str], Workload]) -> float:
    """Ranks of which one more would have nothing to do: no sample of the batch, no part of the model."""
    point = line.measured[-1].point
    if line.scaling == "strong" and grows_of(line.measured) == "data":
        return float(point.batch_per_rank * point.placement.num_ranks)
    return most_ranks(line.measured, find_workload)


def _fixed(line: RankLine) -> str:
    labels = line.measured[0].labels.items()
    problem = [f"{axis} {label}" for axis, label in labels if axis != RANKS_AXIS]
    return ", ".join([*problem, f"{line.scaling} scaling", setting_words(line)])


def _family(work: Library) -> Family:
    return Family(whole=work, work=work, exchange=EXCHANGE, exchange_begins=FEWEST_THAT_EXCHANGE)

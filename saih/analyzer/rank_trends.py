"""How the step moves along the axis of ranks: the same component laws, of another family."""

import math
from collections.abc import Mapping, Sequence

from saih.analyzer.rank_line import RankLine
from saih.analyzer.recombination import Family
from saih.analyzer.scaling import setting_words
from saih.analyzer.terms import EXCHANGE, OWN_WORK, SHARED_WORK, Library
from saih.analyzer.trends import Course, trends_along
from saih.domain.ceiling import Ceilings
from saih.domain.trend import RANKS_AXIS, Trend

SIZE_LABEL = "ranks"
FEWEST_THAT_EXCHANGE = 2.0


def find_rank_trends(lines: Sequence[RankLine], ceilings: Sequence[Ceilings] = ()) -> tuple[Trend, ...]:
    """One trend for each line.

    Ceilings belong to one placement, so that no share of peak is foreseen at ranks that were not measured. In
    strong scaling the curves end where every rank has one sample.
    """
    by_placement = {found.placement_label: found for found in reversed(ceilings)}
    return trends_along([_course(line, by_placement) for line in lines])


def _course(line: RankLine, ceilings: Mapping[str, Ceilings]) -> Course:
    is_strong = line.scaling == "strong"
    point = line.measured[0].point
    is_batch_shared = is_strong and len({one.point.placement.degrees for one in line.measured}) == 1
    return Course(
        axis=RANKS_AXIS,
        size_label=SIZE_LABEL,
        fixed=_fixed(line),
        points=line.measured,
        sizes=line.sizes,
        peak=None,
        family=_family(SHARED_WORK if is_strong else OWN_WORK),
        scaling=line.scaling,
        greatest=float(point.batch_per_rank * point.placement.num_ranks) if is_batch_shared else math.inf,
        ceilings=ceilings.get(line.measured[-1].point.placement.seats_label),
    )


def _fixed(line: RankLine) -> str:
    labels = line.measured[0].labels.items()
    problem = [f"{axis} {label}" for axis, label in labels if axis != RANKS_AXIS]
    return ", ".join([*problem, f"{line.scaling} scaling", setting_words(line)])


def _family(work: Library) -> Family:
    return Family(whole=work, work=work, exchange=EXCHANGE, exchange_begins=FEWEST_THAT_EXCHANGE)

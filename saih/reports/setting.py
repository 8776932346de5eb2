"""Settings of a sweep by the words that tell them apart, short enough for the title of a small figure."""

from collections.abc import Mapping, Sequence

from saih.domain.point import Placement, Point
from saih.domain.quantity import counted
from saih.domain.sweep import DroppedPoint
from saih.domain.trend import FailedPoint, PointSummary
from saih.reports.grid import setting_of

Member = PointSummary | FailedPoint | DroppedPoint


def setting_names(members: Sequence[Member]) -> dict[str, str]:
    """Setting as ``setting_of`` says it -> its short name, by growing number of ranks.

    Names hold only what tells the settings apart; that of a single setting says its ranks and nodes.
    """
    firsts: dict[str, Point] = {}
    for member in members:
        firsts.setdefault(setting_of(member.point), member.point)
    ordered = sorted(firsts.items(), key=lambda item: (item[1].placement.num_ranks, item[0]))
    return _short({setting: _parts(point) for setting, point in ordered})


def placement_names(placements: Sequence[Placement]) -> dict[str, str]:
    """Label of each placement -> its short name, which tells it from the others."""
    return _short({placement.label: _seats(placement) for placement in placements})


def _short(parts: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    telling = _telling(list(zip(*parts.values(), strict=True)))
    return {name: ", ".join(own[number] for number in telling) for name, own in parts.items()}


def _telling(columns: Sequence[tuple[str, ...]]) -> list[int]:
    """Numbers of the fewest first columns that tell all rows apart; the first one in any case."""
    telling: list[int] = []
    found = 0
    for number in range(len(columns)):
        told = len(set(zip(*(columns[one] for one in [*telling, number]), strict=True)))
        if told > found:
            telling, found = [*telling, number], told
    return telling


def _parts(point: Point) -> tuple[str, ...]:
    """What a setting consists of, in the order in which it tells settings apart."""
    return (
        *_seats(point.placement),
        f"batch {point.batch_per_rank}",
        point.run_words,
        point.exchange if point.exchange != "none" else "no exchange",
        f"seed {point.seed}",
    )


def _seats(place: Placement) -> tuple[str, ...]:
    return (
        f"{counted(place.num_ranks, 'rank')} on {counted(place.nodes, 'node')}",
        counted(place.threads_per_rank, "thread"),
        place.label.rpartition(" (")[2].rstrip(")"),
    )

"""Where the points of a sweep run: its placements, or the rungs of its ranks axis."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from saih.domain.errors import UsageError
from saih.domain.point import Exchange, Placement
from saih.domain.scaling import RankLadder, placed_on
from saih.domain.sweep import Sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class Seats:
    """Where points run, and what that decides."""

    placement: Placement
    batch_per_rank: int
    exchange: Exchange
    labels: Mapping[str, str]
    refusal: str = ""
    """Why no point can run so; empty where it can."""


def seats_of(sweep: Sweep) -> Iterator[Seats]:
    """Every placement of a sweep with its batch and exchange, in growing order."""
    if sweep.rank_ladder is not None:
        for ranks in sweep.rank_ladder.ranks:
            yield _rung(sweep, sweep.rank_ladder, ranks)
        return
    for placement in sweep.placements:
        yield Seats(
            placement=placement,
            batch_per_rank=sweep.batch_per_rank,
            exchange=sweep.exchange if placement.num_ranks > 1 else "none",
            labels={"placement": placement.label} if len(sweep.placements) > 1 else {},
        )


def _rung(sweep: Sweep, ladder: RankLadder, ranks: int) -> Seats:
    batch, refusal = sweep.batch_per_rank, ""
    try:
        batch = ladder.batch_per_rank(sweep.batch_per_rank, ranks)
    except UsageError as error:
        refusal = f"{error.problem}; {error.remedy}"
    is_alone = ranks == 1 or ladder.scaling == "throughput"
    return Seats(
        placement=placed_on(sweep.placements[0], ranks, ladder.grows),
        batch_per_rank=batch,
        exchange="none" if is_alone else sweep.exchange,
        labels={"ranks": f"{ranks} rank{'' if ranks == 1 else 's'}"},
        refusal=refusal,
    )

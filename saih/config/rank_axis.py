"""The ranks axis of a sweep: how it is read, and the one that a placement has by itself."""

import math
from itertools import pairwise

from saih.config.entry import Entries, Path
from saih.config.schema import DEFAULT_SCALING
from saih.domain.errors import UsageError
from saih.domain.point import Placement
from saih.domain.scaling import Grows, RankLadder, Scaling, placed_on, rank_unit
from saih.domain.sweep import Sweep

NAME = "ranks"
PATH: Path = ("axes", NAME)
_RUNGS: Path = (*PATH, NAME)


def check_rank_axis(entries: Entries, placements: tuple[Placement, ...], num_placements: int) -> None:
    """Report a ranks axis that cannot be climbed; ``placements`` are those without a mistake."""
    if PATH not in entries.places:
        return
    if num_placements > 1:
        entries.report(
            entries.places[PATH],
            PATH,
            f"{num_placements} placements ({'; '.join(placement.label for placement in placements)})",
            "one placement, whose ranks the axis changes",
            "remove all but one, or the ranks axis",
        )
        return
    rungs = given_rungs(entries)
    if any(low >= high for low, high in pairwise(rungs)):
        entries.report(
            entries.values[_RUNGS].place,
            _RUNGS,
            str(list(rungs)),
            "numbers that grow",
            f"write it as {sorted(set(rungs))}",
        )
    elif placements and not rungs:
        _check_placement(entries, placements[0])
    elif placements:
        _check_nodes(entries, placements[0], rungs)


def given_rungs(entries: Entries) -> tuple[int, ...]:
    """The numbers of ranks in the file; none where it leaves them to the placement."""
    entry = entries.values.get(_RUNGS)
    values = entry.value if entry is not None and isinstance(entry.value, tuple) else ()
    return tuple(value for value in values if isinstance(value, int))


def num_rank_rungs(entries: Entries, placements: tuple[Placement, ...]) -> int:
    """How many numbers of ranks there are; 1 without a ranks axis."""
    if PATH not in entries.places:
        return 1
    return len(given_rungs(entries)) or len(doubling(placements[0], _grows(entries)) if placements else (1,))


def rank_ladder(entries: Entries, placement: Placement) -> RankLadder | None:
    """The ranks axis of entries without a mistake; None where the file has none."""
    if PATH not in entries.places:
        return None
    grows = _grows(entries)
    return RankLadder(
        scaling=_scaling(entries.word((*PATH, "scaling"))) if grows == "data" else "strong",
        ranks=given_rungs(entries) or doubling(placement, grows),
        grows=grows,
    )


def own_ladder(sweep: Sweep) -> RankLadder:
    """The ranks axis of a sweep: the one it was given, else doubling up to its placement.

    Raises:
        UsageError: where there are several placements, or one rank only.
    """
    if sweep.rank_ladder is not None:
        return sweep.rank_ladder
    if len(sweep.placements) > 1:
        raise UsageError(
            f"the ranks axis changes one placement, but the sweep {sweep.name} has {len(sweep.placements)}",
            "keep one placement, or leave out --axis ranks.",
        )
    placement = sweep.placements[0]
    rungs = doubling(placement)
    if len(rungs) == 1:
        raise UsageError(
            f"the sweep {sweep.name} has no ranks axis, and its placement has one {_unit(placement)} only",
            "give it one, such as --set axes.ranks.ranks='[1, 2, 4]'.",
        )
    return RankLadder(scaling=DEFAULT_SCALING, ranks=rungs)


def _unit(placement: Placement) -> str:
    return "rank" if placement.num_ranks == 1 else "replica of the model"


def doubling(placement: Placement, grows: Grows = "data") -> tuple[int, ...]:
    """1, 2, 4, ... ranks of one node, then of 1, 2, 4, ... nodes, up to the whole placement.

    Where ranks divide a model, those numbers that make whole replicas of it.
    """
    per_node, nodes = placement.ranks_per_node, placement.nodes
    inside = {2**power for power in range(per_node.bit_length())}
    across = {per_node * 2**power for power in range(nodes.bit_length())}
    found = {*inside, *across, placement.num_ranks}
    return tuple(sorted(ranks for ranks in found if ranks % rank_unit(placement, grows) == 0))


def _check_placement(entries: Entries, placement: Placement) -> None:
    """Where the ranks are left to the placement, it must have some."""
    is_told = any(mistake.key == ".".join(_RUNGS) for mistake in entries.mistakes)
    if len(doubling(placement, _grows(entries))) == 1 and not is_told:
        entries.report(
            entries.places[PATH],
            PATH,
            f"no list of ranks, and a placement with one {_unit(placement)}",
            "ranks to climb",
            "write ranks: [1, 2, 4], or give placement more nodes or ranks_per_node",
        )


def _check_nodes(entries: Entries, placement: Placement, rungs: tuple[int, ...]) -> None:
    grows = _grows(entries)
    unit = rank_unit(placement, grows)
    for ranks in rungs:
        try:
            placed_on(placement, ranks, grows)
        except UsageError:
            entries.report(
                entries.values[_RUNGS].place,
                _RUNGS,
                f"{ranks} ranks",
                _wanted(placement, unit),
                f"use multiples of {math.lcm(placement.ranks_per_node, unit)}",
            )


def _wanted(placement: Placement, unit: int) -> str:
    words = f"ranks that fill nodes of placement.ranks_per_node ({placement.ranks_per_node}), or fewer"
    return words if unit == 1 else f"{words}, in whole replicas of {unit} ranks"


def _grows(entries: Entries) -> Grows:
    found: dict[str, Grows] = {
        "data": "data",
        "tensor": "tensor",
        "pipeline": "pipeline",
        "spatial": "spatial",
    }
    entry = entries.values.get((*PATH, "grows"))
    return found.get(str(entry.value), "data") if entry is not None else "data"


def _scaling(word: str) -> Scaling:
    found: dict[str, Scaling] = {"strong": "strong", "weak": "weak", "throughput": "throughput"}
    return found[word]

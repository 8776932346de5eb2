"""Where ranks were when they stopped making progress, in words that stay short for thousands of them."""

from collections.abc import Mapping, Sequence

MAX_NAMED = 8
"""Up to so many ranks each one's place is told, and so many ranks of one place are listed."""


def places_in_words(places: Mapping[int, str], num_ranks: int) -> str:
    """The places of those ranks that told theirs, and who did not; the rarest places first among many."""
    silent = [rank for rank in range(num_ranks) if rank not in places]
    if num_ranks <= MAX_NAMED:
        sayings = [f"rank {rank} {places[rank]}" for rank in sorted(places)]
    else:
        at: dict[str, list[int]] = {}
        for rank in sorted(places):
            at.setdefault(places[rank], []).append(rank)
        rarest = sorted(at.items(), key=lambda item: len(item[1]))
        sayings = [f"{_ranks(ranks)} {place}" for place, ranks in rarest[:MAX_NAMED]]
        if len(rarest) > MAX_NAMED:
            sayings.append(f"the others in {len(rarest) - MAX_NAMED} more places")
    if silent:
        sayings.append(f"no word from {_ranks(silent)}")
    return "; ".join(sayings)


def _ranks(ranks: Sequence[int]) -> str:
    listed = ", ".join(map(str, ranks[:MAX_NAMED]))
    if len(ranks) > MAX_NAMED:
        return f"{len(ranks)} ranks ({listed}, ...)"
    return f"rank {listed}"

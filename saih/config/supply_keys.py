"""The keys of a sweep file that say where batches come from."""

from typing import get_args

from saih.config.entry import Entries
from saih.domain.supply import Input, Staging, Supply

_INPUT, _STAGING = ("run", "input"), ("run", "staging")


def check_supply(entries: Entries) -> None:
    """Report what contradicts itself: what is made in memory cannot be copied from a disk."""
    asked = entries.values.get(_STAGING)
    if asked is None or _INPUT not in entries.values or not supply_of(entries).contradiction:
        return
    entries.report(
        asked.place,
        _STAGING,
        "node",
        "none with input: synthetic, which reads no data set",
        "remove one of the two keys",
    )


def supply_of(entries: Entries) -> Supply:
    """Where batches come from."""
    inputs: dict[str, Input] = {word: word for word in get_args(Input)}
    stagings: dict[str, Staging] = {word: word for word in get_args(Staging)}
    return Supply(input=inputs[entries.word(_INPUT)], staging=stagings[entries.word(_STAGING)])

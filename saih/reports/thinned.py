"""Many things to few: evenly spaced, with the first and the last, so that a figure stays readable."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def thinned(items: Sequence[T], most: int) -> tuple[T, ...]:
    """At most ``most`` of ``items`` in their order: all, or evenly spaced ones with both ends."""
    if len(items) <= most:
        return tuple(items)
    if most == 1:
        return (items[0],)
    last = len(items) - 1
    return tuple(items[round(place * last / (most - 1))] for place in range(most))


def thinned_words(shown: int, known: int, noun: str) -> str:
    """What a caption says of what is left out, such as ``10 of 20 lines, evenly chosen``; else nothing."""
    return "" if shown >= known else f"{shown} of {known} {noun}s, evenly chosen"

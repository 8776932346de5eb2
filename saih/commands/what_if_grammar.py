"""Changes as a user writes them, such as ``interconnect x2`` or ``4x ranks``, to a scenario."""

import math
import re
from collections.abc import Mapping, Sequence

from saih.domain.errors import UsageError
from saih.domain.what_if import GREATEST_FACTOR, REMOVABLE, SCALABLE, Alteration, Growth, Part, Scenario

UNDERSTOOD = (
    "understood are: PART xNUMBER (compute, memory, launch, interconnect, input), PART removed (launch, "
    "interconnect, input, imbalance, unexplained), NUMBERx AXIS (ranks, data, model) and "
    "AXIS RUNG->RUNG, such as 'interconnect x2', 'input removed', '4x ranks', 'data 64^3->128^3'"
)
AXES = ("data", "model", "ranks")
_OTHER_NAMES: Mapping[str, Part] = {
    "network": Part.INTERCONNECT,
    "exchange": Part.INTERCONNECT,
    "storage": Part.INPUT,
    "loader": Part.INPUT,
    "host": Part.LAUNCH,
    "arithmetic": Part.COMPUTE,
    "bandwidth": Part.MEMORY,
}
_LONGEST = 100
"""Characters of a change; no change that is understood is longer."""
_NUMBER = r"([0-9]{1,6}(?:\.[0-9]{1,6})?)"
_SPEED = re.compile(rf"([a-z]+) +x ?{_NUMBER}", re.ASCII)
_SPEED_FIRST = re.compile(rf"{_NUMBER} ?x +([a-z]+)", re.ASCII)
_REMOVED = re.compile(r"([a-z]+) +(?:removed|free|even)", re.ASCII)
_RUNGS = re.compile(r"([a-z]+) +([^>]+?) ?-> ?([^>]+)", re.ASCII)


def scenario_of(texts: Sequence[str]) -> Scenario:
    """The scenario of these changes, each one about something else.

    Raises:
        UsageError: for no change, one that is not understood, out of range, or about the same twice.
    """
    if not texts:
        raise UsageError("no change was asked for", f"{UNDERSTOOD}.")
    changes = [_change(text) for text in texts]
    alterations = [change for change in changes if isinstance(change, Alteration)]
    growths = [change for change in changes if isinstance(change, Growth)]
    parts = [alteration.part for alteration in alterations]
    twice = next((part for part in parts if parts.count(part) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is changed twice", "say each part once.")
    if len(growths) > 1:
        raise UsageError(
            f"sizes along {len(growths)} axes are asked for at once", "ask for one axis at a time."
        )
    return Scenario(alterations=tuple(alterations), growth=growths[0] if growths else None)


def _change(text: str) -> Alteration | Growth:
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    words = " ".join(text.split())
    if len(text) <= _LONGEST:
        if found := _SPEED.fullmatch(words.lower()):
            return _faster(found[1], float(found[2]), shown)
        if found := _SPEED_FIRST.fullmatch(words.lower()):
            return _faster(found[2], float(found[1]), shown)
        if found := _REMOVED.fullmatch(words.lower()):
            return _removed(found[1], shown)
        if (found := _RUNGS.fullmatch(words)) and found[1].lower() in AXES:
            return Growth(axis=found[1].lower(), start=found[2], target=found[3])
    raise UsageError(f"the change {shown!r} is not understood", f"{UNDERSTOOD}.")


def _faster(name: str, factor: float, shown: str) -> Alteration | Growth:
    if not 1 / GREATEST_FACTOR <= factor <= GREATEST_FACTOR:
        raise UsageError(
            f"{shown!r} asks for a factor of {factor:g}",
            f"stay between {1 / GREATEST_FACTOR:g} and {GREATEST_FACTOR:g}: beyond that no prediction is "
            "supported, only a measurement.",
        )
    if name in AXES:
        return Growth(axis=name, factor=factor)
    part = _part(name, shown)
    if part not in SCALABLE:
        raise UsageError(f"{part} has no speed, as {shown!r} asks for", f"say '{part} removed'.")
    return Alteration(part=part, speed=factor)


def _removed(name: str, shown: str) -> Alteration:
    part = _part(name, shown)
    if part not in REMOVABLE:
        raise UsageError(
            f"{shown!r} would leave a step without {part}, which is no step",
            f"say how much faster, such as '{part} x2'.",
        )
    return Alteration(part=part, speed=math.inf)


def _part(name: str, shown: str) -> Part:
    if name in _OTHER_NAMES:
        return _OTHER_NAMES[name]
    try:
        return Part(name)
    except ValueError:
        raise UsageError(f"{name!r} in the change {shown!r} is no part of a run", f"{UNDERSTOOD}.") from None

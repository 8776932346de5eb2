"""Whether the points settle a law: several laws that do about equally well must agree beyond them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.fit import GREATEST_FACTOR, Law

Array = NDArray[np.float64]

GREATEST_DIVERGENCE = 1.5
"""Largest ratio between two members at the target before the law counts as not identified."""
_HEARD = 0.1
"""Least weight of a member whose opinion counts."""
_FEW_HEARD = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """How far the members of a law differ at a target, and the size at which measuring settles most."""

    ratio: float
    names: tuple[str, str]
    """Of the lowest and the highest member."""
    next_size: float


def diverge(law: Law, target: float, greatest: float = np.inf) -> Divergence:
    """Ratio of the highest to the lowest member at ``target``.

    The size to measure next is the one beyond the measured ones with the widest spread of members for the
    time that a step takes there; the geometric middle of the widest gap where nothing larger can exist.
    """
    logs, names = _opinions(law, np.array([target]))
    low, high = int(np.argmin(logs[:, 0])), int(np.argmax(logs[:, 0]))
    return Divergence(
        ratio=float(np.exp(logs[high, 0] - logs[low, 0])),
        names=(names[low], names[high]),
        next_size=_next_size(law, greatest),
    )


def _opinions(law: Law, sizes: Array) -> tuple[Array, tuple[str, ...]]:
    """Logs of what the members that count say, ``[member, size]``, and their names."""
    if law.stack is not None:
        voices = [voice for voice in law.stack.voices if voice.weight >= _HEARD] or law.stack.voices[:1]
        return np.stack([voice.log_value(sizes) for voice in voices]), tuple(voice.name for voice in voices)
    heard = law.members[: max(int(np.sum(law.weights >= _FEW_HEARD)), 1)]
    return np.log(heard.at(sizes)), tuple(" + ".join(one.terms) for one in heard)


def _next_size(law: Law, greatest: float) -> float:
    largest = float(law.sizes[-1])
    end = min(GREATEST_FACTOR * largest, greatest)
    if end <= largest * (1 + 1e-9):
        sizes = np.unique(law.sizes)
        widest = int(np.argmax(np.diff(np.log(sizes))))
        return float(np.sqrt(sizes[widest] * sizes[widest + 1]))
    sizes = np.geomspace(largest, end, 9)[1:]
    logs, _ = _opinions(law, sizes)
    cost = np.exp(logs.mean(axis=0))
    return float(sizes[int(np.argmax((logs.max(axis=0) - logs.min(axis=0)) / cost))])

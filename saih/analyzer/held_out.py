"""The largest point of a line, foreseen from the smaller ones."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from saih.analyzer.fit import GREATEST_FACTOR, Prediction
from saih.analyzer.recombination import Composition, Line, predict_steps


def without_largest(line: Line) -> Line:
    """The points below the largest size."""
    kept = [place for place, size in enumerate(line.sizes) if size < line.sizes[-1]]
    return replace(
        line, points=[line.points[place] for place in kept], sizes=[line.sizes[place] for place in kept]
    )


def foresee_largest(
    lines: Sequence[Line], compositions: Sequence[Composition | None]
) -> list[Prediction | None]:
    """The step at the largest size of each line; None where nothing reaches it.

    ``compositions`` are those of ``without_largest``. Lines that end at one size are looked at together.
    """
    groups: dict[float, list[tuple[int, Composition]]] = defaultdict(list)
    for place, (line, composition) in enumerate(zip(lines, compositions, strict=True)):
        if composition is not None and line.sizes[-1] <= GREATEST_FACTOR * without_largest(line).sizes[-1]:
            groups[line.sizes[-1]].append((place, composition))
    found: dict[int, Prediction] = {}
    for largest, own in groups.items():
        steps = predict_steps([composition for _, composition in own], np.array([largest]))
        found.update(zip((place for place, _ in own), steps, strict=True))
    return [found.get(place) for place in range(len(lines))]

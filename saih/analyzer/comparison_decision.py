"""Many questions of equality under one error rate."""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Each probability corrected for all of them, in their order (Holm, Scand. J. Statist. 6, 1979, 65).

    Calling different what is below 5 % makes even one false call in at most 5 % of comparisons, however the
    questions hang together.
    """
    count = len(p_values)
    corrected = [1.0] * count
    highest = 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda index: p_values[index])):
        highest = max(highest, min((count - rank) * p_values[index], 1.0))
        corrected[index] = highest
    return tuple(corrected)

"""What every report says of method and definitions."""

from collections.abc import Sequence

from saih.domain.record import Phase
from saih.domain.trend import PointSummary

METHOD = (
    (
        "A step lasts as long as its slowest rank. Device work is finished before the clock is read; "
        "warm-up steps are never mixed in."
    ),
    (
        "Steps are repeated until the 95 % interval of the median step is as narrow as asked, or the "
        "budget is spent; the table of points says which."
    ),
    (
        "The interval of a median comes from order statistics and assumes no distribution (David & "
        "Nagaraja, Order Statistics, 2003). Bands of curves are 90 % prediction intervals."
    ),
    (
        "Each phase has its own law; the step follows from them. Beyond 8 times the largest measured size "
        "no number is given."
    ),
    "Ceilings are measured on the same machine at the same placement, all ranks at once.",
    (
        "A verdict names what holds a point back and the numbers it rests on. Mixed, unexplained and at "
        "the ceiling are legal verdicts."
    ),
)
_FLOP = "FLOP: a multiply-add counts as 2; products and convolutions alone have some."
_FLOP_OF_TRAINING = (
    "FLOP: a multiply-add counts as 2. Training is the forward pass and both gradients that are really "
    "computed; the gradient by the first layer's input is not."
)
_OTHERS = (
    (
        "Share of measured peak: FLOP per second over all ranks, over the best arithmetic rate that the "
        "same ranks reached together in products and convolutions. Share of vendor's peak: over clock x "
        "cores x operations per cycle of a processor, or the dense figure of an accelerator's data sheet."
    ),
    "Arithmetic intensity: FLOP of one step over the least bytes that it must move to and from memory.",
    (
        "Additive phases sum to the step: waiting for input, forward, backward, exposed communication, "
        "optimizer, other{stages}. Hidden phases overlap them: producing input, all communication."
    ),
    "Units: kB = 1000 B, GB = 10^9 B. A bracket after a value is its interval; n counts what is behind it.",
)


def definitions(points: Sequence[PointSummary]) -> tuple[str, ...]:
    """What the words of a report mean, those of training where something is trained."""
    is_training = not points or any(point.loss.is_learning is not None for point in points)
    has_stages = any(Phase.STAGE_WAIT in point.phases_ns for point in points)
    stages = ", waiting for other stages" if has_stages else ""
    return (_FLOP_OF_TRAINING if is_training else _FLOP, *(text.format(stages=stages) for text in _OTHERS))

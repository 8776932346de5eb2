"""Which part of a weight is asked for; arithmetic only."""

from collections.abc import Sequence

from workloads.transformer.errors import WeightError
from workloads.transformer.split import Span
from workloads.transformer.weight_names import Shape


def part_of(name: str, shape: Shape, spans: Sequence[Span | None]) -> tuple[Span, ...]:
    """The span of each dimension, None being all of it.

    Raises:
        WeightError: when they are not as many as the dimensions, or reach beyond one.
    """
    if len(spans) != len(shape):
        raise WeightError(
            f"{name} has the shape {list(shape)}, but {len(spans)} spans are asked for; give {len(shape)}."
        )
    part = tuple(Span(0, length) if span is None else span for span, length in zip(spans, shape, strict=True))
    for span, length in zip(part, shape, strict=True):
        if not 0 <= span.begin <= span.end <= length:
            raise WeightError(
                f"{name} has the shape {list(shape)}, but {span.begin} to {span.end} of {length} are asked "
                "for; ask for what is there."
            )
    return part

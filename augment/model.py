"""How a staged convolutional model grows: width multiplies its channels, depth adds convolutions."""

from augment.problem import ProblemError

CHANNEL_CAP = 16
"""Most channels of a stage, in multiples of the width: the reference stops at 512 = 16 x 32."""
MOST_WIDTH = 2**16
WIDTHS = (*range(1, 16), *range(16, 32, 2), *range(32, 64, 4), *range(64, MOST_WIDTH + 1, 8))
"""Widths that a model is given when its cost is asked for: fine enough to meet a cost within an eighth, and
whole multiples of 8 where matrix units compute in such blocks."""


def stage_channels(width: int, num_stages: int) -> tuple[int, ...]:
    """Channels of each stage: ``width`` in the first, doubling until ``CHANNEL_CAP`` times the width.

    Raises:
        ProblemError: when the width or the number of stages is below one.
    """
    if width < 1 or num_stages < 1:
        raise ProblemError(
            f"a model of width {width} in {num_stages} stages cannot exist; give at least 1 of each."
        )
    return tuple(width * min(2**stage, CHANNEL_CAP) for stage in range(num_stages))


def residuals_per_stage(depth: int) -> int:
    """Residual convolutions that ``depth`` adds to every stage; depth 1 is the plain model.

    Plain deepening loses the input (features shrink to 1e-4 of their scale within 27 layers), so depth
    only ever adds residual branches.

    Raises:
        ProblemError: when the depth is below one.
    """
    if depth < 1:
        raise ProblemError(f"a model of depth {depth} cannot exist; give at least 1.")
    return depth - 1

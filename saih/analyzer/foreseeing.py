"""What laws say at some sizes, and what makes it uncertain: those of one library all at once.

Shapes: L laws, M members of all of them together, S sizes.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.calibration import Doubts
from saih.analyzer.members import Members, joined
from saih.analyzer.stack import Stack, weighted_median

Array = NDArray[np.float64]


class Fitted(Protocol):
    """What is known of a law (``fit.Law``)."""

    @property
    def sizes(self) -> Array:
        """Measured, growing."""

    @property
    def members(self) -> Members:
        """Of the library."""

    @property
    def weights(self) -> Array:
        """Of the members."""

    @property
    def scatter(self) -> Array:
        """Variance of the log residuals of each member."""

    @property
    def stack(self) -> Stack | None:
        """What speaks beyond the largest size."""


def foresee(law: Fitted, sizes: Array) -> tuple[Array, Doubts]:
    """Log of the values that one law foresees, and what makes them uncertain, ``[S]`` each."""
    logs, doubts = foresee_all([law], sizes)
    return logs[0], doubts.of(0)


def foresee_all(laws: Sequence[Fitted], sizes: Array) -> tuple[Array, Doubts]:
    """The same of laws of one library that were fitted from the same smallest size on, ``[L, S]`` each.

    Inside the measured range that is the weighted mean of the members in log, beyond it the stack; between
    the two largest sizes one passes into the other.
    """
    values, factors = joined([law.members for law in laws]).foresee(sizes)
    logs = np.log(values)
    counts = np.array([len(law.members) for law in laws])
    owners = np.repeat(np.arange(len(laws)), counts)
    weights, doubtful = np.zeros((2, len(laws), len(logs)))
    weights[owners, np.arange(len(logs))] = np.concatenate([law.weights for law in laws])
    doubtful[owners, np.arange(len(logs))] = np.concatenate([law.weights * law.scatter for law in laws])
    mean = weights @ logs
    scatter = doubtful.sum(axis=1, keepdims=True)
    ends = np.array([law.sizes[-1] for law in laws])[:, None]
    doublings = np.maximum(np.log2(sizes / ends), 0.0)
    logs -= mean[owners]
    doubts = Doubts(
        scatter=np.broadcast_to(scatter, mean.shape),
        near=scatter * np.maximum(1 - doublings, 0.0),
        coefficients=doubtful @ factors,
        laws=weights @ np.square(logs, out=logs),
        voices=np.zeros_like(mean),
        chained=np.zeros_like(mean),
    )
    _hear_stacks(laws, sizes, mean, doubts)
    return mean, doubts


def _hear_stacks(laws: Sequence[Fitted], sizes: Array, mean: Array, doubts: Doubts) -> None:
    """Put what the stacks say in place of the means, where they are heard, with their doubts."""
    greatest = float(np.max(sizes))
    heard = [
        (row, law.stack)
        for row, law in enumerate(laws)
        if law.stack is not None and greatest > law.stack.begins
    ]
    if not heard:
        return
    rows, stacks = np.array([row for row, _ in heard]), [stack for _, stack in heard]
    begins, ends, steps, errors = (
        np.array([getattr(stack, name) for stack in stacks])[:, None]
        for name in ("begins", "ends", "step", "chained_error")
    )
    doubts.chained[rows] = errors**2 * np.maximum(np.log2(sizes / ends), 0.0) / steps
    places = np.flatnonzero(sizes > begins.min())
    far, near = sizes[places], mean[np.ix_(rows, places)]
    said = _said(stacks, far, near)
    shares = np.stack([stack.weights for stack in stacks], axis=1)[:, :, None]
    median = weighted_median(said, np.broadcast_to(shares, said.shape))
    part = np.clip(np.log(far / begins) / np.log(ends / begins), 0.0, 1.0)
    mean[np.ix_(rows, places)] = (1 - part) * near + part * median
    spread = (np.square(shares) / np.square(shares).sum(axis=0) * (said - median) ** 2).sum(axis=0)
    doubts.voices[np.ix_(rows, places)] = np.where(far > ends, spread, 0.0)


def _said(stacks: Sequence[Stack], sizes: Array, means: Array) -> Array:
    """What each voice of each stack says, ``[voice, L, S]``; ``means`` are those of the libraries."""
    shifts = np.array([[curve.shift for curve in stack.curves[:3]] for stack in stacks]).T[..., None]
    single = joined([stack.curves[1].members for stack in stacks]).at(sizes)
    mechanism = joined([stack.curves[2].members for stack in stacks]).at(sizes)
    lines = [stack.curves[3] for stack in stacks]
    ends = [(line.slope, line.log_sizes[-1], line.log_values[-1]) for line in lines]
    slopes, log_ends, log_values = np.array(ends).T[..., None]
    straight = log_values + slopes * (np.log(sizes) - log_ends)
    return np.concatenate([np.stack([means, np.log(single), np.log(mechanism)]) + shifts, straight[None]])

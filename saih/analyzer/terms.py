"""The terms of which trends are made.

Every term is 1 at the smallest size, so coefficients are durations there. Fits minimise relative residuals,
so that small points count as much as large ones.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

POWERS = {
    "x^-1": -1.0,
    "x^-2/3": -2 / 3,
    "x^-1/2": -1 / 2,
    "1": 0.0,
    "x^1/3": 1 / 3,
    "x^1/2": 1 / 2,
    "x^2/3": 2 / 3,
    "x": 1.0,
    "x^4/3": 4 / 3,
    "x^3/2": 3 / 2,
    "x^2": 2.0,
    "x^3": 3.0,
}
POWER_LAW = ("x^p",)
DEPENDENT = 1e-10
"""Two terms whose columns span less than this, relative to their lengths, are one."""
NEGLIGIBLE = 1e-6
"""A term that is nowhere a larger part of the value than this is rounding, not a term."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """What laws are made of. ``log x`` is log(1 + x), positive at every size."""

    terms: tuple[str, ...]
    few: tuple[tuple[str, ...], ...]
    """The mechanistic laws that 2 or 3 points may choose from, beside a power law."""
    mechanism: tuple[str, ...]
    """The two or three terms that theory expects before anything is measured."""
    trust: float = 1.0
    """How much more the mechanism is heard than other voices that did as well."""


GROWTH = Library(
    terms=("1", "log x", "x^1/2", "x^2/3", "x", "x log x", "x^4/3", "x^3/2", "x^2", "x^3"),
    few=(("1",), ("x",), ("1", "x"), ("1", "x log x"), ("1", "x^2")),
    mechanism=("1", "x"),
)
"""Axes along which a problem grows: overhead, work in proportion, and faster growths."""
SHARED_WORK = Library(
    terms=("1", "x^-1", "x^-2/3", "x^-1/2", "log x", "x^1/2", "x"),
    few=(("1",), ("x^-1",), ("1", "x^-1"), ("x^-1", "log x"), ("x^-1", "x")),
    mechanism=("1", "x^-1"),
)
"""A fixed problem shared by x ranks: Amdahl's two terms, and what coordination adds (USL in time form)."""
OWN_WORK = Library(
    terms=("1", "log x", "x^1/3", "x^1/2", "x^2/3", "x", "x log x", "x^-1"),
    few=(("1",), ("1", "log x"), ("1", "x")),
    mechanism=("1", "log x"),
)
"""The same work on each of x ranks: constant, but for what they share."""
EXCHANGE = Library(
    terms=("1", "1 - 1/x", "log x", "x^1/3", "x^1/2", "x^2/3", "x - 1", "x", "x log x", "x^3/2"),
    few=(("1",), ("1 - 1/x",), ("log x",), ("x - 1",), ("1", "x"), ("1 - 1/x", "x - 1")),
    mechanism=("1", "1 - 1/x", "x - 1"),
    trust=8.0,
)
"""Exchanges among x > 1 ranks: a ring moves 2 (1 - 1/x) of the bytes in 2 (x - 1) messages, a tree takes
log x rounds (Thakur, Rabenseifner & Gropp, IJHPCA 19, 2005, 49). That is the arithmetic of the algorithm, so
that it is trusted more."""


def evaluate(term: str, sizes: Array, scale: float) -> Array:
    """A term at these sizes, relative to its value at ``scale``; the array is not to be written to."""
    return _evaluated(term, np.ascontiguousarray(sizes, dtype=np.float64).tobytes(), scale)


@lru_cache(maxsize=8192)
def _evaluated(term: str, raw_sizes: bytes, scale: float) -> Array:
    """Trends of one sweep share their sizes, so that few are ever evaluated."""
    sizes = np.frombuffer(raw_sizes, dtype=np.float64)
    values = _term_values(term, sizes, scale)
    values.flags.writeable = False
    return values


def _term_values(term: str, sizes: Array, scale: float) -> Array:
    if term in POWERS:
        return np.asarray((sizes / scale) ** POWERS[term], dtype=np.float64)
    if term == "1 - 1/x":
        return np.asarray((1 - 1 / sizes) / (1 - 1 / scale), dtype=np.float64)
    if term == "x - 1":
        return np.asarray((sizes - 1) / (scale - 1), dtype=np.float64)
    logarithm = np.log1p(sizes) / np.log1p(scale)
    return np.asarray(logarithm * sizes / scale if term == "x log x" else logarithm, dtype=np.float64)


@lru_cache
def candidates(num_points: int, library: Library = GROWTH) -> tuple[tuple[str, ...], ...]:
    """The sums of at most two terms that this many distinct sizes can choose from, simplest first."""
    if num_points < 4:
        return (*library.few, POWER_LAW)
    singles = (("1",), *((term,) for term in library.terms if term != "1"))
    return (*singles, *combinations(library.terms, 2), POWER_LAW)


@lru_cache
def complexity(groups: tuple[tuple[str, ...], ...]) -> NDArray[np.int64]:
    """Fitted numbers of each candidate."""
    return np.array([2 if len(group) == 2 or group == POWER_LAW else 1 for group in groups])


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One fitted sum of terms. A power law carries its exponent instead of a named term."""

    terms: tuple[str, ...]
    coefficients: tuple[float, ...]
    exponent: float | None
    scale: float
    covariance: Array
    """Of the coefficients (of log factor and exponent for a power law), for residuals of unit variance."""

    @property
    def num_parameters(self) -> int:
        """Fitted numbers."""
        return len(self.coefficients) + (self.exponent is not None)

    def at(self, sizes: Array) -> Array:
        """The law at these sizes."""
        if self.exponent is not None:
            return np.asarray(self.coefficients[0] * (sizes / self.scale) ** self.exponent, dtype=np.float64)
        return np.asarray(np.array(self.coefficients) @ self._columns(sizes), dtype=np.float64)

    def _columns(self, sizes: Array) -> Array:
        return np.stack([evaluate(term, sizes, self.scale) for term in self.terms])


def inverse(gram: Array) -> Array:
    """Of one or two columns; the pseudo-inverse where they are nearly one."""
    if len(gram) == 1:
        return np.asarray(1 / gram, dtype=np.float64)
    (a, c), (_, b) = gram.tolist()
    determinant = a * b - c * c
    if determinant <= 1e-9 * (a + b) ** 2:
        return np.asarray(np.linalg.pinv(gram, rcond=1e-10), dtype=np.float64)
    return np.array([[b, -c], [-c, a]]) / determinant

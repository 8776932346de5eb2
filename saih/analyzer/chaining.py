"""Candidate laws fitted to the first points of a series, all prefixes at once, and what they say ahead.

Forward chaining judges a way to extrapolate by what it is for: fitted to the first points, it must foresee
the next two.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.terms import DEPENDENT, POWER_LAW, Library, candidates, evaluate

Array = NDArray[np.float64]
Places = NDArray[np.int64]
Groups = tuple[tuple[str, ...], ...]

FEWEST = 3
"""Points of the shortest prefix."""
MOST_PREFIXES = 30
"""Of longer series only the last prefixes are chained, so that the work grows with their length only."""
_IN_CACHE = 2**15
"""Numbers of one array that stays in the caches of a core with the few others worked on at a time."""
_BASE, _LAST, _NEXT, _SECOND = slice(0, FEWEST), FEWEST, FEWEST + 1, FEWEST + 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Where fits to the prefixes of a series are read; the last of ``B`` prefixes is the whole."""

    begins: Places
    """Number of points in each prefix, ``[B]``."""
    places: Places
    """For each prefix its first three points, its last one and the next two (or the last), ``[B, 6]``."""

    def last(self, read: Array) -> Array:
        """Values at the last point of each prefix, ``[..., B]``."""
        return read[..., _LAST]

    def ahead(self, read: Array) -> Array:
        """Sums over what was ahead of all shorter prefixes and is known at each, ``[..., B]``."""
        known = np.zeros(read.shape[:-1])
        known[..., 1:] += np.cumsum(read[..., :-1, _NEXT], axis=-1)
        known[..., 2:] += np.cumsum(read[..., :-2, _SECOND], axis=-1)
        return known

    def base(self, read: Array) -> Array:
        """Sums over the first three points, which nothing can foresee, ``[..., B]``."""
        return np.asarray(read[..., _BASE].sum(axis=-1))

    @property
    def num_ahead(self) -> Array:
        """How many values ``ahead`` sums at each prefix, ``[B]``."""
        count = np.arange(len(self.begins), dtype=np.float64)
        return np.asarray(count + np.maximum(count - 1, 0))


@lru_cache(maxsize=256)
def chain(num_points: int) -> Chain:
    """The prefixes of a series of at least three points."""
    begins = np.arange(max(FEWEST, num_points - MOST_PREFIXES), num_points + 1)
    base = np.broadcast_to(np.arange(FEWEST), (len(begins), FEWEST))
    own = np.minimum(begins[:, None] + np.array([-1, 0, 1]), num_points - 1)
    return Chain(begins=begins, places=np.concatenate([base, own], axis=1))


def prefix_logs(groups: Groups, sizes: Array, values: Array, begins: Places, places: Places) -> Array:
    """Log of what every candidate says at ``places`` when fitted to the first ``begins`` points.

    The same fits as ``terms.fit_member``, all at once, from running sums over the points: with two terms the
    non-negative optimum is the inner one, or else the better of the two single terms.

    Args:
        groups: the candidates, C of them.
        sizes: growing, N of them.
        values: positive, of one series or many, ``[..., N]``.
        begins: points of each prefix, ``[B]``.
        places: indices of the points to read, ``[B, P]``.

    Returns:
        ``[..., C, B, P]``.
    """
    names, first, second = index_of(groups)
    terms = table(names, sizes, float(sizes[0]))
    gram, sums = _running(terms / values[..., None, :], begins)
    one, two = two_term(
        gram[..., first, first, :],
        gram[..., second, second, :],
        gram[..., first, second, :],
        sums[..., first, :],
        sums[..., second, :],
    )
    read = terms[:, places]
    predicted = one[..., None] * read[first] + two[..., None] * read[second]
    if POWER_LAW in groups:
        power = _power(sizes / sizes[0], values, begins, places)
        predicted[..., groups.index(POWER_LAW), :, :] = power
    return np.log(predicted)


def _running(columns: Array, begins: Places) -> tuple[Array, Array]:
    """Products of the columns with each other, ``[..., T, T, B]``, and their sums, over each prefix."""
    gram = np.cumsum(columns[..., :, None, :] * columns[..., None, :, :], axis=-1)[..., begins - 1]
    return gram, np.cumsum(columns, axis=-1)[..., begins - 1]


def non_negative(names: tuple[str, ...], sizes: Array, values: Array, begins: Places) -> Array:
    """Coefficients of two or three terms that fit each prefix best, none negative, ``[..., terms, B]``.

    ``values`` are those of one series or many, ``[..., N]``.
    """
    gram, sums = _running(table(names, sizes, float(sizes[0])) / values[..., None, :], begins)
    found = []
    for one, two in combinations(range(len(names)), 2):
        pair = np.zeros_like(sums)
        pair[..., one, :], pair[..., two, :] = two_term(
            gram[..., one, one, :],
            gram[..., two, two, :],
            gram[..., one, two, :],
            sums[..., one, :],
            sums[..., two, :],
        )
        found.append(pair)
    if len(names) == 3:
        found.append(_inner(gram, sums))
    # A fit explains as much as its coefficients times the sums: the residual is n minus that.
    every = np.stack(found)
    best = np.argmax((every * sums).sum(axis=-2), axis=0)
    return np.asarray(np.take_along_axis(every, best[None, ..., None, :], axis=0)[0])


def _inner(gram: Array, sums: Array) -> Array:
    """The fit of all terms where none is negative and they are not one; else zeros, ``[..., terms, B]``."""
    by_prefix = np.moveaxis(gram, -1, -3)
    lengths = np.sqrt(np.diagonal(by_prefix, axis1=-2, axis2=-1))
    scaled = by_prefix / lengths[..., :, None] / lengths[..., None, :]
    is_regular = np.linalg.det(scaled) > DEPENDENT
    scaled[~is_regular] = np.eye(gram.shape[-2])
    right = np.swapaxes(sums, -1, -2) / lengths
    factors = np.linalg.solve(scaled, right[..., None])[..., 0] / lengths
    is_inner = is_regular & np.all(factors > 0, axis=-1)
    return np.swapaxes(np.where(is_inner[..., None], factors, 0.0), -1, -2)


def table(names: tuple[str, ...], sizes: Array, scale: float) -> Array:
    """Terms at these sizes, relative to their values at ``scale``, ``[term, N]``; not to be written to."""
    return _table(names, np.ascontiguousarray(sizes, dtype=np.float64).tobytes(), scale)


@lru_cache(maxsize=1024)
def _table(names: tuple[str, ...], raw_sizes: bytes, scale: float) -> Array:
    """Trends of one sweep share their sizes, so that few are ever evaluated."""
    sizes = np.frombuffer(raw_sizes, dtype=np.float64)
    values = np.stack([evaluate(name, sizes, scale) for name in names])
    values.flags.writeable = False
    return values


@lru_cache
def index_of(groups: Groups) -> tuple[tuple[str, ...], Places, Places]:
    """Names of all terms, and for each group the places of its first and last one."""
    names = tuple(dict.fromkeys(name for group in groups for name in group if group != POWER_LAW)) or ("1",)
    first = np.array([names.index(group[0]) if group != POWER_LAW else 0 for group in groups])
    second = np.array([names.index(group[-1]) if group != POWER_LAW else 0 for group in groups])
    return names, first, second


def two_term(a: Array, b: Array, c: Array, sum_one: Array, sum_two: Array) -> tuple[Array, Array]:
    """Non-negative coefficients of two columns that come closest to 1.

    Args:
        a: squared length of the first column.
        b: squared length of the second; a single term is a pair of itself.
        c: their product.
        sum_one: sum of the first.
        sum_two: sum of the second.
    """
    determinant = a * b - c * c
    safe = np.where(determinant > DEPENDENT * a * b, determinant, np.inf)
    one = (b * sum_one - c * sum_two) / safe
    two = (a * sum_two - c * sum_one) / safe
    is_inner = (one > 0) & (two > 0)
    # The residual of a single term is n - sum^2 / gram: the larger quotient fits better.
    is_first = sum_one**2 / a >= sum_two**2 / b
    one = np.where(is_inner, one, np.where(is_first, sum_one / a, 0.0))
    two = np.where(is_inner, two, np.where(is_first, 0.0, sum_two / b))
    return one, two


def _power(sizes: Array, values: Array, begins: Places, places: Places) -> Array:
    """The power law by linear regression in log; constant where all sizes before are equal."""
    x, y = np.log(sizes), np.log(values)
    sum_x, sum_y, sum_xx, sum_xy = (
        np.cumsum(part, axis=-1)[..., begins - 1] for part in (x, y, x * x, x * y)
    )
    spread = begins * sum_xx - sum_x**2
    is_spread = spread > 1e-12 * begins * np.maximum(sum_xx, 1e-300)
    slope = np.where(is_spread, begins * sum_xy - sum_x * sum_y, 0.0) / np.where(is_spread, spread, 1.0)
    return np.exp(((sum_y - slope * sum_x) / begins)[..., None] + slope[..., None] * x[places])


@lru_cache
def single_terms(num_points: int, library: Library) -> tuple[Groups, Places]:
    """The constant with no or one other term, and where these are among the candidates."""
    groups = candidates(num_points, library)
    found = (("1",), *(group for group in groups if len(group) == 2 and group[0] == "1"))
    return found, np.array([groups.index(group) for group in found])


def left_out_errors(groups: Groups, sizes: Array, values: Array, begins: Places) -> Array:
    """Mean absolute log error at each point of a prefix when it is left out of the fit, ``[..., C, B]``.

    The groups are those of ``single_terms``; ``values`` are of one series or many, ``[..., N]``. This is how
    Extra-P chooses its one term (Calotoiu et al., SC13, with SMAPE there).
    """
    terms = table(tuple(group[-1] for group in groups), sizes, float(sizes[0]))
    series = values.reshape(-1, len(sizes))
    most = max(1, _IN_CACHE // (terms.size * len(begins)))
    found = [_left_out(terms, series[place : place + most], begins) for place in range(0, len(series), most)]
    return np.concatenate(found).reshape(*values.shape[:-1], len(groups), len(begins))


def _left_out(terms: Array, values: Array, begins: Places) -> Array:
    """``left_out_errors`` of series ``[R, N]``, as many as the caches hold, ``[R, C, B]``."""
    each = values[:, None, :]
    flat, columns = 1 / each, terms / each

    def without(part: Array) -> Array:
        """Sums over each prefix but for one point, ``[R, C, B, N]``; points beyond a prefix mean nothing."""
        return np.asarray(np.cumsum(part, axis=-1)[..., begins - 1, None] - part[..., None, :])

    with np.errstate(all="ignore"):  # of what means nothing
        one, two = two_term(
            without(flat * flat),
            without(columns * columns),
            without(flat * columns),
            without(flat),
            without(columns),
        )
        two *= terms[:, None, :]
        two += one
        two /= each[..., None, :]
        errors = np.abs(np.log(two, out=two), out=two)
    is_beyond = np.arange(terms.shape[1]) >= begins[:, None]
    errors[np.broadcast_to(is_beyond, errors.shape)] = 0.0
    return np.asarray(errors.sum(axis=-1) / begins)

"""Sums of terms fitted to whole series, those of many series over the same sizes at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.chaining import Groups, Places, index_of, table, two_term
from saih.analyzer.terms import DEPENDENT, NEGLIGIBLE, POWER_LAW, Member, inverse

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Members(Sequence[Member]):
    """Fitted sums of terms; all arrays have ``M`` rows, one for each. A power law has no named terms."""

    names: tuple[str, ...]
    """``T`` terms."""
    scale: float
    """Size at which every term is 1."""
    factors: Array
    """Coefficients of the terms, ``[M, T]``."""
    power: Array
    """Coefficient and exponent of power laws, ``[M, 2]``; 0 for other members."""
    is_power: Mask
    first: Places
    """Place of the first term that takes part."""
    last: Places
    """Of the last one; the same for a member of one term."""
    covariance: Array
    """Of the first coefficient, of both, of the last one, ``[M, 3]``, for residuals of unit variance. Members
    of one term have only the last; power laws have those of log factor and exponent."""

    def __len__(self) -> int:
        """How many there are."""
        return len(self.factors)

    @overload
    def __getitem__(self, place: int) -> Member: ...

    @overload
    def __getitem__(self, place: slice) -> "Members": ...

    def __getitem__(self, place: int | slice) -> "Member | Members":
        """One of them, or some."""
        if isinstance(place, slice):
            return self.pick(place)
        return self._member(range(len(self))[place])

    def pick(self, rows: slice | Places) -> "Members":
        """Some of them."""
        return Members(
            names=self.names,
            scale=self.scale,
            factors=self.factors[rows],
            power=self.power[rows],
            is_power=self.is_power[rows],
            first=self.first[rows],
            last=self.last[rows],
            covariance=self.covariance[rows],
        )

    def at(self, sizes: Array) -> Array:
        """What each says at these sizes, ``[M, S]``."""
        values = self.factors @ table(self.names, sizes, self.scale)
        if self.is_power.any():
            coefficient, exponent = self.power[self.is_power].T[..., None]
            values[self.is_power] = coefficient * (sizes / self.scale) ** exponent
        return np.asarray(values)

    def foresee(self, sizes: Array) -> tuple[Array, Array]:
        """The same, and the variances of their logs for relative residuals of unit variance, ``[M, S]``."""
        values, terms = self.at(sizes), table(self.names, sizes, self.scale)
        first, last = terms[self.first] / values, terms[self.last] / values
        if self.is_power.any():
            first[self.is_power], last[self.is_power] = 1.0, np.log(sizes / self.scale)
        own, joint, other = self.covariance.T[..., None]
        return values, own * first**2 + 2 * joint * first * last + other * last**2

    @property
    def num_parameters(self) -> Places:
        """Fitted numbers of each, ``[M]``."""
        return np.where(self.is_power | (self.first != self.last), 2, 1)

    def _member(self, row: int) -> Member:
        own, joint, other = self.covariance[row].tolist()
        coefficient, exponent = self.power[row].tolist()
        places = list(dict.fromkeys((int(self.first[row]), int(self.last[row]))))
        is_power = bool(self.is_power[row])
        return Member(
            terms=(f"x^{exponent:.2f}",) if is_power else tuple(self.names[place] for place in places),
            coefficients=(coefficient,) if is_power else tuple(self.factors[row, places].tolist()),
            exponent=exponent if is_power else None,
            scale=self.scale,
            covariance=np.array(
                [[own, joint], [joint, other]] if is_power or len(places) == 2 else [[other]]
            ),
        )


def fit_members(groups: Groups, chosen: Places, sizes: Array, values: Array, scale: float) -> Members:
    """Non-negative relative least squares; a term that would need a negative coefficient is left out.

    Args:
        groups: candidates.
        chosen: which of them each member is fitted as, ``[M]``.
        sizes: growing, ``[N]``.
        values: positive, ``[M, N]``.
        scale: size at which every term is 1.
    """
    names, first, second = (index_of(groups)[0], *(places[chosen] for places in index_of(groups)[1:]))
    terms = table(names, sizes, scale)
    one, two = terms[first] / values, terms[second] / values
    own, other, joint = ((left * right).sum(axis=1) for left, right in ((one, one), (two, two), (one, two)))
    near, far = two_term(own, other, joint, one.sum(axis=1), two.sum(axis=1))
    has_near, has_far = near * one.max(axis=1) > NEGLIGIBLE, far * two.max(axis=1) > NEGLIGIBLE
    rows, factors = np.arange(len(chosen)), np.zeros((len(chosen), len(names)))
    factors[rows, second] = np.where(has_far, far, 0.0)
    factors[rows, first] += np.where(has_near, near, 0.0)
    covariance = _covariance(own, other, joint, has_near, has_far)
    is_power, power = _powers(groups, chosen, sizes, values, scale)
    factors[is_power] = 0.0
    if is_power.any():
        covariance[is_power] = _power_inverse(sizes, scale)[[0, 0, 1], [0, 1, 1]]
    return Members(
        names=names,
        scale=scale,
        factors=factors,
        power=power,
        is_power=is_power,
        first=np.where(has_near, first, second),
        last=np.where(has_far, second, first),
        covariance=covariance,
    )


def fit_member(terms: tuple[str, ...], sizes: Array, values: Array, scale: float) -> Member:
    """``fit_members`` for one candidate of one series."""
    return fit_members((terms,), np.zeros(1, dtype=np.int64), sizes, values[None], scale)[0]


def summed(names: tuple[str, ...], factors: Array, scale: float) -> Members:
    """Sums of all these terms, ``[M, T]``, whose coefficients are known without error."""
    count = len(factors)
    return Members(
        names=names,
        scale=scale,
        factors=factors,
        power=np.zeros((count, 2)),
        is_power=np.zeros(count, dtype=bool),
        first=np.zeros(count, dtype=np.int64),
        last=np.full(count, len(names) - 1),
        covariance=np.zeros((count, 3)),
    )


def joined(parts: Sequence[Members]) -> Members:
    """All of them as one; they must have the same terms and the same scale."""
    first = parts[0]
    if len(parts) == 1:
        return first
    return Members(
        names=first.names,
        scale=first.scale,
        factors=np.concatenate([one.factors for one in parts]),
        power=np.concatenate([one.power for one in parts]),
        is_power=np.concatenate([one.is_power for one in parts]),
        first=np.concatenate([one.first for one in parts]),
        last=np.concatenate([one.last for one in parts]),
        covariance=np.concatenate([one.covariance for one in parts]),
    )


def _covariance(own: Array, other: Array, joint: Array, has_near: Mask, has_far: Mask) -> Array:
    """Of two coefficients, or of the only one that takes part; by the pseudo-inverse where they are one."""
    covariance = np.zeros((len(own), 3))
    covariance[:, 2] = 1 / np.where(has_far, other, own)
    determinant = own * other - joint * joint
    is_pair = has_near & has_far
    is_regular = is_pair & (determinant > 1e-9 * (own + other) ** 2)
    inverses = np.stack([other, -joint, own], axis=1)[is_regular] / determinant[is_regular, None]
    covariance[is_regular] = inverses
    places = np.flatnonzero(is_pair & ~is_regular)
    gram = np.stack([own, joint, joint, other], axis=1)[places].reshape(-1, 2, 2)
    covariance[places] = np.linalg.pinv(gram, rcond=DEPENDENT)[:, [0, 0, 1], [0, 1, 1]]
    return covariance


def _powers(groups: Groups, chosen: Places, sizes: Array, values: Array, scale: float) -> tuple[Mask, Array]:
    """Which members are power laws, and their coefficients and exponents."""
    found = np.zeros((len(chosen), 2))
    if POWER_LAW not in groups:
        return np.zeros(len(chosen), dtype=bool), found
    is_power = chosen == groups.index(POWER_LAW)
    if is_power.any():
        columns = np.stack([np.ones_like(sizes), np.log(sizes / scale)])
        intercept, exponent = _power_inverse(sizes, scale) @ columns @ np.log(values[is_power]).T
        found[is_power] = np.stack([np.exp(intercept), exponent], axis=1)
    return is_power, found


def _power_inverse(sizes: Array, scale: float) -> Array:
    columns = np.stack([np.ones_like(sizes), np.log(sizes / scale)])
    return inverse(columns @ columns.T)

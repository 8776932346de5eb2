"""One AI problem: the shape of its data and the shape of its model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Value = int | float | str

MAX_COUNT = 10**18
"""Largest size that any problem may have."""
_MOST_SHOWN = 40
"""Characters of a value in a message."""


class ProblemError(ValueError):
    """A problem that cannot exist; the message says why and what would."""


@dataclass(frozen=True, slots=True)
class Shape(Mapping[str, Value]):
    """Named sizes, in alphabetical order, so that equal shapes are equal values."""

    entries: tuple[tuple[str, Value], ...] = ()

    @staticmethod
    def of(sizes: Mapping[str, Value] | None = None, /, **more: Value) -> "Shape":
        """The shape with these named sizes."""
        return Shape(tuple(sorted({**(sizes or {}), **more}.items())))

    def __getitem__(self, name: str) -> Value:
        for key, value in self.entries:
            if key == name:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def with_sizes(self, sizes: Mapping[str, Value]) -> "Shape":
        """This shape with some sizes replaced."""
        return Shape.of({**dict(self.entries), **sizes})

    def count(self, name: str, at_most: int = MAX_COUNT) -> int:
        """The size called ``name``, which must be a whole number from 1 to ``at_most``.

        Raises:
            ProblemError: when it is absent, not whole, below one, or too large.
        """
        value = dict(self.entries).get(name)
        if isinstance(value, int) and abs(value) > MAX_COUNT:  # Python refuses to print very long numbers
            raise ProblemError(f"{name} is beyond all reason; give a whole number from 1 to {at_most}.")
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= at_most:
            found = "missing" if value is None else repr(value)
            allowed = "of at least 1" if at_most == MAX_COUNT else f"from 1 to {at_most}"
            raise ProblemError(f"{name} is {found}; give a whole number {allowed}.")
        return value

    def amount(self, name: str, at_most: float = MAX_COUNT) -> float:
        """The size called ``name``, which must be a number above 0 and not above ``at_most``.

        Raises:
            ProblemError: when it is absent, no number, or outside these bounds.
        """
        value = dict(self.entries).get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= at_most:
            found = _shown(value)
            raise ProblemError(f"{name} is {found}; give a number above 0, at most {at_most:g}.")
        return float(value)

    def word(self, name: str, words: Sequence[str]) -> str:
        """The size called ``name``, which must be one of ``words``.

        Raises:
            ProblemError: when it is absent or none of them.
        """
        value = dict(self.entries).get(name)
        if not isinstance(value, str) or value not in words:
            found = _shown(value)
            raise ProblemError(f"{name} is {found}; use {', '.join(words)}.")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The data shape and the model shape of one AI problem."""

    data: Shape
    model: Shape

    @property
    def kinds(self) -> tuple[type, ...]:
        """The type of every size: to Python 1.0 and True equal 1, to a workload they are no whole numbers."""
        return tuple(type(value) for shape in (self.data, self.model) for _, value in shape.entries)


def _shown(value: Value | None) -> str:
    """A value in a message; Python refuses to print very long whole numbers."""
    if isinstance(value, int) and abs(value) > MAX_COUNT:
        return "beyond all reason"
    return "missing" if value is None else repr(value)[:_MOST_SHOWN]

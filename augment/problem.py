"""One AI problem: the shape of its data and the shape of its model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Value = int | float | str


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

    def count(self, name: str) -> int:
        """The size called ``name``, which must be a positive whole number.

        Raises:
            ProblemError: when it is absent, not whole, or below one.
        """
        value = dict(self.entries).get(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            found = "missing" if value is None else repr(value)
            raise ProblemError(f"{name} is {found}; give a whole number of at least 1.")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The data shape and the model shape of one AI problem."""

    data: Shape
    model: Shape

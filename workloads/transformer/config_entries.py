"""Entries of a configuration read with their types; everything that is wrong is said at once."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from augment.problem import ProblemError

MAX_LAYERS = 10_000
MAX_SIZE = 2**31 - 1
"""Largest of all other sizes: what an index of 32 bits can name."""
_SHOWN = 60
_LISTED = 20


@dataclass(frozen=True, slots=True)
class ConfigEntries:
    """One JSON mapping. Readers give a stand-in for what is wrong: ask ``refuse`` before using any value."""

    config: Mapping[str, object]
    problems: list[str] = field(default_factory=list)

    def value(self, *names: str) -> object:
        """The entry that has one of these names; None where it is absent or null."""
        found = {name: self.config[name] for name in names if self.config.get(name) is not None}
        first = next(iter(found), None)
        for name, value in found.items():
            if first is not None and value != found[first]:
                self.problems.append(f"{first} and {name} mean the same and differ, keep one of them")
        return None if first is None else found[first]

    def count(self, *names: str, at_most: int = MAX_SIZE, default: int | None = None) -> int:
        """A whole number of at least 1."""
        value = self.value(*names)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= at_most:
            self._wrong(names[0], value, f"a whole number from 1 to {at_most}")
            return 1
        return value

    def positive(self, name: str, default: float) -> float:
        """A finite number above 0."""
        value = self.value(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_positive(value):
            self._wrong(name, value, "a finite number above 0")
            return default
        return float(value)

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        value = self.value(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self._wrong(name, value, "true or false")
            return default
        return value

    def text(self, name: str, default: str) -> str:
        """A string."""
        value = self.value(name)
        if value is None:
            return default
        if not isinstance(value, str):
            self._wrong(name, value, "a text")
            return default
        return value

    def mapping(self, *names: str) -> Mapping[str, object]:
        """The first of these entries that holds something; empty where none does."""
        for name in names:
            value = self.value(name)
            if isinstance(value, Mapping):
                if value:
                    return value
            elif value is not None:
                self._wrong(name, value, "a mapping, or null")
        return {}

    def only(self, name: str, needed: object) -> None:
        """Refuse any other value: results would not be those of the model."""
        value = self.value(name)
        if value is not None and value != needed:
            self._wrong(name, value, f"{shown(needed)}: nothing else can be computed here")

    def empty(self, name: str) -> None:
        """Refuse anything in this entry: results would not be those of the model."""
        value = self.value(name)
        if value is not None and value not in ({}, []):
            self._wrong(name, value, "a model without it: it cannot be computed here")

    def refuse(self) -> None:
        """Do nothing when all entries are right.

        Raises:
            ProblemError: otherwise, with everything that is wrong.
        """
        if self.problems:
            more = len(self.problems) - _LISTED
            rest = f"; and {more} more" if more > 0 else ""
            listed = "; ".join(self.problems[:_LISTED])
            raise ProblemError(f"The configuration cannot be used: {listed}{rest}.")

    def _wrong(self, name: str, value: object, wanted: str) -> None:
        found = "missing" if value is None else shown(value)
        self.problems.append(f"{name} is {found}, give {wanted}")


def shown(value: object) -> str:
    """A short text for any value of JSON, however long or deep it is."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int):  # Python refuses to print very long numbers
        return str(value) if abs(value) < 10**18 else "a whole number beyond 10^18"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "...")
    return f"a {type(value).__name__} of {len(value)}" if isinstance(value, list | Mapping) else "no JSON"


def _is_positive(value: float) -> bool:
    # Comparing with a bound first: a whole number can be too long to become a float.
    return 0 < value < 1e300 and math.isfinite(value)

"""What the keys of a file may be: one value, a list, sizes of a workload, a table, or more keys."""

from dataclasses import dataclass
from typing import get_args

from augment.ladder import AxisName, Combine
from augment.problem import Value
from saih.config.kind import Choice, ScalarKind, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """A mapping from the names of a workload's sizes to one value each."""

    axis: AxisName


@dataclass(frozen=True, slots=True, kw_only=True)
class Rungs:
    """A mapping from the names of a workload's sizes to a list of values each, and ``combine``.

    ``axis`` tells whose sizes they are; None for those of data, model and run side by side.
    """

    axis: AxisName | None
    combine: Choice = Choice(words=get_args(Combine))  # noqa: RUF009 (an immutable value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A list of at least one value of one kind."""

    item: ScalarKind
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A mapping from names of the user's own to texts."""

    name: Text
    value: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A mapping with these keys and no others; as ``is_repeatable`` also a list of such mappings.

    One that ``is_optional`` has its defaults only where it is in the file. ``words`` may stand in place of a
    mapping.
    """

    keys: tuple["Key", ...]
    words: tuple[str, ...] = ()
    is_repeatable: bool = False
    is_optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a sweep file."""

    name: str
    kind: "ScalarKind | Sizes | Rungs | Listed | Table | Section"
    meaning: str
    default: Value | None = None
    """None for sections and lists, and for keys that must be given."""
    is_required: bool = False

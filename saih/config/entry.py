"""The typed entries of a sweep: every value with its place, found by the path of its key."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from augment.problem import Value
from saih.config.key import Key, Listed, Rungs, Section, Sizes, Table
from saih.config.kind import Choice, ScalarKind, Size, Unfit, expected, found, read_scalar
from saih.config.mistake import Mistake, nearest, shown
from saih.config.node import Mapping, Node, Refused, Scalar, Sequence

Path = tuple[str, ...]
ONLY = ""
"""Stands in a path for the one mapping where a list of them was allowed; not shown to users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One typed value, or a list of them, and its place."""

    value: Value | tuple[Value, ...]
    place: str
    is_given: bool = True
    """False for the default of a key that is not there."""


@dataclass(slots=True, kw_only=True)
class Entries:
    """What was read so far, and what was wrong."""

    mistakes: list[Mistake]
    values: dict[Path, Entry] = field(default_factory=dict)
    places: dict[Path, str] = field(default_factory=dict)
    """Where each section begins; a section that is not in the file has the place of the one above it."""

    def below(self, path: Path) -> Iterator[tuple[str, Entry]]:
        """The entries right below ``path`` by the last part of their path, in the order of the file."""
        for known, entry in self.values.items():
            if known[:-1] == path:
                yield known[-1], entry

    def whole(self, path: Path) -> int:
        """The whole number at ``path``."""
        value = self.values[path].value
        if not isinstance(value, int):
            raise TypeError(f"{path} holds {value!r}, not a whole number")
        return value

    def real(self, path: Path) -> float:
        """The number at ``path``."""
        value = self.values[path].value
        if not isinstance(value, int | float):
            raise TypeError(f"{path} holds {value!r}, not a number")
        return float(value)

    def word(self, path: Path) -> str:
        """The word at ``path``."""
        value = self.values[path].value
        if not isinstance(value, str):
            raise TypeError(f"{path} holds {value!r}, not a word")
        return value

    def report(self, place: str, path: Path, found: str, expected: str, remedy: str) -> None:
        """Record a mistake."""
        self.mistakes.append(
            Mistake(
                place=place, key=".".join(filter(None, path)), found=found, expected=expected, remedy=remedy
            )
        )


def read_section(node: Node, section: Section, path: Path, entries: Entries) -> None:
    """Type everything below ``node``; what is absent takes its default."""
    if section.is_repeatable and isinstance(node, Sequence):
        if not node.items:
            entries.report(node.place, path, "an empty list", "at least one", "give one or remove the key")
        for index, item in enumerate(node.items):
            _read_one(item, section, (*path, str(index)), entries)
        return
    _read_one(node, section, (*path, ONLY) if section.is_repeatable else path, entries)


def _read_one(node: Node, section: Section, path: Path, entries: Entries) -> None:
    """A mapping, or a word that stands in place of one."""
    if section.words and isinstance(node, Scalar):
        _read_value(node, Choice(words=section.words), path, entries)
    else:
        _read_keys(node, section, path, entries)


def _read_keys(node: Node, section: Section, path: Path, entries: Entries) -> None:
    given = _children(node, path, entries)
    entries.places[path] = node.place
    valid = {key.name: key for key in section.keys}
    for name, (place, child) in given.items():
        if name in valid:
            _read_key(child, valid[name], (*path, name), entries)
        else:
            entries.report(place, path, f"the key {shown(name)}", "a known key", nearest(name, tuple(valid)))
    for name, key in valid.items():
        if name not in given and not isinstance(node, Refused):
            _read_absent(key, node.place, (*path, name), entries)


def _read_key(node: Node, key: Key, path: Path, entries: Entries) -> None:
    match key.kind:
        case Section():
            read_section(node, key.kind, path, entries)
        case Sizes():
            entries.places[path] = node.place
            for name, (_, child) in _children(node, path, entries).items():
                _read_value(child, Size(), (*path, name), entries)
        case Rungs():
            _read_rungs(node, key.kind, path, entries)
        case Listed():
            _read_listed(node, key.kind, path, entries)
        case Table():
            _read_table(node, key.kind, path, entries)
        case _:
            _read_value(node, key.kind, path, entries)


def _read_rungs(node: Node, rungs: Rungs, path: Path, entries: Entries) -> None:
    entries.places[path] = node.place
    for name, (_, child) in _children(node, path, entries).items():
        if name == "combine":
            _read_value(child, rungs.combine, (*path, name), entries)
        else:
            _read_list(child, Size(), (*path, name), entries, example="[16, 32, 64]")


def _read_listed(node: Node, listed: Listed, path: Path, entries: Entries) -> None:
    _read_list(node, listed.item, path, entries, example=listed.example)


def _read_table(node: Node, table: Table, path: Path, entries: Entries) -> None:
    entries.places[path] = node.place
    for name, (place, child) in _children(node, path, entries).items():
        if re.fullmatch(table.name.pattern, name):
            _read_value(child, table.value, (*path, name), entries)
        else:
            entries.report(place, path, f"the name {shown(name)}", table.name.words, "correct the name")


def _read_list(node: Node, kind: ScalarKind, path: Path, entries: Entries, *, example: str) -> None:
    if isinstance(node, Refused):
        return
    if not isinstance(node, Sequence):
        entries.report(node.place, path, found(node), "a list", f"write it as {example}")
        return
    values = []
    for item in node.items:
        value = read_scalar(item, kind)
        if not isinstance(value, Unfit):
            values.append(value)
        elif not isinstance(item, Refused):
            entries.report(item.place, path, value.found, expected(kind), value.remedy)
    if not node.items:
        entries.report(node.place, path, "an empty list", "at least one value", f"write it as {example}")
    entries.values[path] = Entry(value=tuple(values), place=node.place)


def _read_value(node: Node, kind: ScalarKind, path: Path, entries: Entries) -> None:
    if isinstance(node, Refused):
        return
    value = read_scalar(node, kind)
    if isinstance(value, Unfit):
        entries.report(node.place, path, value.found, expected(kind), value.remedy)
        return
    entries.values[path] = Entry(value=value, place=node.place)


def _read_absent(key: Key, place: str, path: Path, entries: Entries) -> None:
    if key.is_required:
        entries.report(place, path, "nothing", key.meaning, f"add `{key.name}:`")
    elif isinstance(key.kind, Section) and not key.kind.is_optional:
        read_section(Mapping(place=place, entries=()), key.kind, path, entries)
    elif key.default is not None:
        entries.values[path] = Entry(value=key.default, place=place, is_given=False)


def _children(node: Node, path: Path, entries: Entries) -> dict[str, tuple[str, Node]]:
    """The values of a mapping by key, each with the place of its key; anything else is reported."""
    if isinstance(node, Mapping):
        return {key.text: (key.place, child) for key, child in node.entries}
    is_empty = isinstance(node, Scalar) and node.is_plain and not node.text
    if not is_empty and not isinstance(node, Refused):
        entries.report(node.place, path, found(node), "keys with values", "write `key: value` lines below it")
    return {}

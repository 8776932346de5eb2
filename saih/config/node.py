"""The nodes of a YAML text with their places; nothing is typed, resolved, constructed or expanded."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import yaml

from saih.config.mistake import Mistake, shown

MAX_DEPTH = 12
MAX_NODES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """One value as its text; ``is_plain`` when it stood without quotes."""

    place: str
    text: str
    is_plain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """A list."""

    place: str
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Keys and values in the order of the file; no key comes twice."""

    place: str
    entries: tuple[tuple[Scalar, "Node"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Something that was reported already, such as an alias."""

    place: str


Node = Scalar | Sequence | Mapping | Refused
Locate = Callable[[int, int], str]
"""``locate(line, column)``, both from 1, gives the place as text."""


class _StopError(Exception):
    """Reading cannot go on; the mistake is recorded."""


def compose(text: str, locate: Locate, mistakes: list[Mistake]) -> Node | None:
    """The one document of ``text``; what YAML offers beyond plain data is added to ``mistakes``.

    None when the text cannot be read to its end; ``mistakes`` then says why.
    """
    composer = _Composer(text=text, locate=locate, mistakes=mistakes)
    try:
        return composer.document()
    except _StopError:
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = locate(mark.line + 1, mark.column + 1) if mark else locate(1, 1)
        what = " ".join(part for part in (error.context, error.problem) if part)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML lets ValueError and OverflowError of impossible escapes and versions through.
        place, what = locate(1, 1), str(getattr(error, "reason", error))
    mistakes.append(
        Mistake(place=place, key="", found=what, expected="YAML", remedy="correct the text near this place")
    )
    return None


@dataclass(slots=True, kw_only=True)
class _Composer:
    """Builds nodes from parser events; events, unlike PyYAML's nodes, still show anchors and tags."""

    text: str
    locate: Locate
    mistakes: list[Mistake]
    num_nodes: int = 0

    def document(self) -> Node:
        events: Iterator[yaml.Event] = yaml.parse(self.text, Loader=yaml.SafeLoader)
        next(events)
        begin = next(events)
        if isinstance(begin, yaml.StreamEndEvent):
            self._refuse(begin, "nothing", "YAML", "write a value (`saih init` writes a sweep)")
            raise _StopError
        root = self._node(next(events), events, 0)
        next(events)
        more = next(events)
        if not isinstance(more, yaml.StreamEndEvent):
            self._refuse(more, "a second document", "one document", "remove it and the line `---`")
        return root

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        place = self._place(event)
        self._check_limits(event, depth)
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event, f"the alias *{event.anchor}", "the value itself", "write it out")
            return Refused(place=place)
        self._check_properties(event)
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(place=place, text=event.value, is_plain=event.style is None)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(event := next(events), yaml.SequenceEndEvent):
                items.append(self._node(event, events, depth + 1))
            return Sequence(place=place, items=tuple(items))
        return self._mapping(place, events, depth)

    def _mapping(self, place: str, events: Iterator[yaml.Event], depth: int) -> Mapping:
        entries: dict[str, tuple[Scalar, Node]] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if not isinstance(key, Scalar):
                if not isinstance(key, Refused):
                    self._refuse(
                        event, "a list or mapping as a key", "a word", "write a word before the colon"
                    )
            elif key.text in entries:
                first = entries[key.text][0].place
                self._refuse(
                    event, f"the key {shown(key.text)} again", f"it once (first at {first})", "remove one"
                )
            else:
                entries[key.text] = (key, value)
        return Mapping(place=place, entries=tuple(entries.values()))

    def _check_limits(self, event: yaml.Event, depth: int) -> None:
        self.num_nodes += 1
        if depth > MAX_DEPTH:
            self._refuse(
                event, f"nesting deeper than {MAX_DEPTH}", "a sweep", "see `saih init` for its shape"
            )
            raise _StopError
        if self.num_nodes > MAX_NODES:
            self._refuse(event, f"more than {MAX_NODES} values", "a sweep", "make the ladders shorter")
            raise _StopError

    def _check_properties(self, event: yaml.Event) -> None:
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if anchor is not None:
            self._refuse(
                event, f"the anchor &{anchor}", "the value itself", "write values out where they are used"
            )
        if tag is not None:
            self._refuse(event, f"the tag {shown(tag)}", "a value without a tag", "remove the tag")

    def _refuse(self, event: yaml.Event, found: str, expected: str, remedy: str) -> None:
        self.mistakes.append(
            Mistake(place=self._place(event), key="", found=found, expected=expected, remedy=remedy)
        )

    def _place(self, event: yaml.Event) -> str:
        mark = event.start_mark
        return self.locate(mark.line + 1, mark.column + 1) if mark else self.locate(1, 1)


def with_value(root: Node, path: tuple[str, ...], value: Node, mistakes: list[Mistake]) -> Node:
    """``root`` with the value at ``path`` replaced; mappings on the way are made where they are missing."""
    if not path:
        return value
    if not isinstance(root, Mapping):
        mistakes.append(
            Mistake(
                place=value.place,
                key="",
                found=f"a place that is no mapping ({root.place})",
                expected=f"a mapping that can hold {path[0]}",
                remedy="set the whole value instead",
            )
        )
        return root
    key = Scalar(place=value.place, text=path[0], is_plain=True)
    entries = {known.text: (known, node) for known, node in root.entries}
    below = entries[path[0]][1] if path[0] in entries else Mapping(place=value.place, entries=())
    entries[path[0]] = (key, with_value(below, path[1:], value, mistakes))
    return replace(root, entries=tuple(entries.values()))

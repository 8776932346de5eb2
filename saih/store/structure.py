"""Frozen values as plain JSON values and back: every key known, every type exact, every number finite."""

import dataclasses
import math
import types
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from augment.problem import Shape

# Any below stands for a JSON value or for the Python value of a type known only at run time.


class StructureError(ValueError):
    """A JSON value that is not the expected one; the message starts with the place inside the document."""


def to_json(value: Any) -> Any:
    """``value`` (a frozen dataclass, enum, mapping, tuple or scalar) as plain JSON values."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(to_json(key)): to_json(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    return value


def from_json(kind: Any, value: Any, place: str = "") -> Any:
    """The value of type ``kind`` that ``to_json`` wrote.

    Raises:
        StructureError: for a missing or unknown key, another type, a number that is not finite, or a
            value that ``kind`` itself refuses.
    """
    return _reader_of(kind)(kind, value, place)


def require_keys(value: Any, names: tuple[str, ...], place: str) -> Mapping[str, Any]:
    """``value`` if it is an object with exactly these keys.

    Raises:
        StructureError: otherwise, naming what is missing and what is unknown.
    """
    if not isinstance(value, dict):
        raise StructureError(f"{place or 'the document'} is {_words(value)}, expected an object")
    if value.keys() == set(names):
        return value
    missing = [name for name in names if name not in value]
    unknown = [name for name in value if name not in names]
    if missing or unknown:
        parts = [f"lacks {', '.join(missing)}"] * bool(missing)
        parts += [f"has unknown {', '.join(map(repr, unknown))}"] * bool(unknown)
        raise StructureError(f"{place or 'the document'} {' and '.join(parts)}")
    return value


@cache
def _reader_of(kind: Any) -> Callable[[Any, Any, str], Any]:
    origin = get_origin(kind)
    readers: tuple[tuple[bool, Callable[[Any, Any, str], Any]], ...] = (
        (kind is Shape, _shape),
        (dataclasses.is_dataclass(kind), _dataclass),
        (origin in (Union, types.UnionType), _union),
        (origin is tuple, _sequence),
        (origin is Literal, _choice),
        (_is_class(origin, Mapping), _mapping),
        (_is_class(kind, Enum), _enum),
    )
    return next((reader for fits, reader in readers if fits), _scalar)


@cache
def _field_kinds(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


@cache
def _later(kind: Any) -> frozenset[str]:
    """Fields that files of earlier versions do not have; their defaults say what those files meant."""
    return frozenset(one.name for one in dataclasses.fields(kind) if one.metadata.get("came_later"))


def _dataclass(kind: Any, value: Any, place: str) -> Any:
    kinds, later = _field_kinds(kind), _later(kind)
    if later and isinstance(value, dict):
        kinds = {name: found for name, found in kinds.items() if name in value or name not in later}
    fields = require_keys(value, tuple(kinds), place)
    below = f"{place}." if place else ""
    read = {name: _reader_of(found)(found, fields[name], below + name) for name, found in kinds.items()}
    try:
        return kind(**read)
    except (ValueError, TypeError) as error:
        raise StructureError(f"{place or 'the document'}: {error}") from error


def _union(kind: Any, value: Any, place: str) -> Any:
    problems = []
    for arm in get_args(kind):
        try:
            return from_json(arm, value, place)
        except StructureError as error:
            problems.append(str(error))
    raise StructureError(" / ".join(problems))


def _sequence(kind: Any, value: Any, place: str) -> Any:
    if not isinstance(value, list):
        raise StructureError(f"{place} is {_words(value)}, expected a list")
    item_kind = get_args(kind)[0]
    return tuple(from_json(item_kind, item, f"{place}[{index}]") for index, item in enumerate(value))


def _mapping(kind: Any, value: Any, place: str) -> Any:
    if not isinstance(value, dict):
        raise StructureError(f"{place or 'the document'} is {_words(value)}, expected an object")
    key_kind, item_kind = get_args(kind)
    read_key, read_item = _reader_of(key_kind), _reader_of(item_kind)
    return {
        read_key(key_kind, key, place): read_item(item_kind, item, _below(place, key))
        for key, item in value.items()
    }


def _is_class(kind: Any, base: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, base)


def _shape(_kind: Any, value: Any, place: str) -> Any:
    return Shape.of(_mapping(dict[str, int | float | str], value, place))


def _enum(kind: Any, value: Any, place: str) -> Any:
    return kind(_one_of(tuple(item.value for item in kind), value, place))


def _choice(kind: Any, value: Any, place: str) -> Any:
    return _one_of(get_args(kind), value, place)


def _one_of(choices: tuple[Any, ...], value: Any, place: str) -> Any:
    if not isinstance(value, str) or value not in choices:
        raise StructureError(f"{place} is {_words(value)}, expected one of {', '.join(map(str, choices))}")
    return value


def _scalar(kind: Any, value: Any, place: str) -> Any:
    if kind is str and type(value) is str:
        return value
    # A whole number stays an int where a float may stand: point ids hash the text of the number.
    allowed = {float: (float, int), types.NoneType: (types.NoneType,)}.get(kind, (kind,))
    if type(value) not in allowed:
        raise StructureError(f"{place} is {_words(value)}, expected {getattr(kind, '__name__', kind)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise StructureError(f"{place} is {value}, expected a finite number")
    return value


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _words(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

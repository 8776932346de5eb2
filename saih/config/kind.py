"""The kinds of values that a sweep may hold: how each is read, described, and told to JSON Schema."""

import math
import re
from dataclasses import dataclass
from typing import Any

from augment.problem import Value
from saih.config.mistake import nearest, shown
from saih.config.node import Mapping, Node, Refused, Scalar, Sequence

_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")
_REAL = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?")
_NUMBER_LIKE = re.compile(r"[+-]?(\.?[0-9][0-9a-fA-FxXoO_:.,+-]*|\.inf|\.nan|inf|nan)", re.IGNORECASE)
_YAML_WORDS = ("", "~", "null", "y", "n", "yes", "no", "true", "false", "on", "off")
"""Plain words that YAML readers take for something else than text."""
_SIZE_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_SIZE_MIX = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?(:[0-9]{1,9}(\.[0-9]{1,9})?){1,63}")
"""A number for each of several devices; without quotes some YAML readers take it for one to the base 60."""
_SIZE_BYTES = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})? ?[kKMGTPE]?i?B")
_SIZE_LIST = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?(, ?[0-9]{1,9}(\.[0-9]{1,9})?){1,63}")
"""Numbers that are one size together, such as redshifts; without quotes a list has other brackets."""
MAX_SIZE = 10**18


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number of ``low`` to ``high``."""

    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Real:
    """A finite number above ``above`` and below ``below``."""

    above: float
    below: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Text of a certain form; unless told otherwise a word that can be part of a file name."""

    pattern: str = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
    words: str = "a name of letters, digits, '.', '_' and '-' (at most 64, a letter or digit first)"
    """The form in words."""
    reserved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One size of a problem: a number of at least 0, a word, an amount of bytes, or several numbers.

    An amount is such as ``1.6 TB``; several numbers are such as ``"20:10:5"`` or ``"0, 0.5, 2"``, in quotes.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """true or false."""


ScalarKind = Whole | Real | Choice | Text | Size | Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """Why a node is not of a kind."""

    found: str
    remedy: str


def read_scalar(node: Node, kind: ScalarKind) -> Value | Unfit:
    """The typed value of ``node``, or what is wrong with it."""
    if not isinstance(node, Scalar):
        return Unfit(found=found(node), remedy="write one value")
    if isinstance(kind, Whole):
        return _read_whole(node, kind)
    if isinstance(kind, Real):
        return _read_real(node, kind)
    if isinstance(kind, Size):
        return _read_size(node)
    if isinstance(kind, Truth):
        return _read_truth(node)
    return _read_word(node, kind)


def found(node: Node) -> str:
    """What a node is, in words."""
    match node:
        case Scalar(text="", is_plain=True):
            return "nothing"
        case Scalar(is_plain=True):
            return node.text if re.fullmatch(r"[!-~]{1,40}", node.text) else shown(node.text)
        case Scalar():
            return f"the quoted text {shown(node.text)}"
        case Sequence():
            return f"a list of {len(node.items)}"
        case Mapping():
            return f"a mapping of {len(node.entries)}"
        case Refused():
            return "something refused"


def expected(kind: ScalarKind) -> str:
    """The kind in words."""
    match kind:
        case Whole():
            return f"a whole number of {kind.low} to {kind.high}"
        case Real():
            return f"a number above {kind.above:g} and below {kind.below:g}"
        case Choice():
            return kind.words[0] if len(kind.words) == 1 else f"one of {', '.join(kind.words)}"
        case Size():
            return "a number of at least 0, or a word"
        case Text():
            return kind.words
        case Truth():
            return "true or false"


def json_type(kind: ScalarKind) -> dict[str, Any]:
    """The kind as JSON Schema."""
    match kind:
        case Whole():
            return {"type": "integer", "minimum": kind.low, "maximum": kind.high}
        case Real():
            return {"type": "number", "exclusiveMinimum": kind.above, "exclusiveMaximum": kind.below}
        case Choice():
            return {"type": "string", "enum": list(kind.words)}
        case Text():
            refused = {"not": {"enum": list(kind.reserved)}} if kind.reserved else {}
            return {"type": "string", "pattern": f"^({kind.pattern})$", **refused}
        case Size():
            number = {"type": "number", "minimum": 0, "maximum": MAX_SIZE}
            forms = (_SIZE_WORD, _SIZE_MIX, _SIZE_BYTES, _SIZE_LIST)
            text = f"^({'|'.join(form.pattern for form in forms)})$"
            return {"anyOf": [number, {"type": "string", "pattern": text}]}
        case Truth():
            return {"type": "boolean"}


def _read_whole(node: Scalar, kind: Whole) -> int | Unfit:
    if not node.is_plain or not _WHOLE.fullmatch(node.text):
        return Unfit(found=found(node), remedy=_number_advice(node, "digits only, such as 16"))
    value = int(node.text)
    if not kind.low <= value <= kind.high:
        return Unfit(found=found(node), remedy="give a number inside these bounds")
    return value


def _read_real(node: Scalar, kind: Real) -> float | Unfit:
    if not node.is_plain or not _REAL.fullmatch(node.text):
        return Unfit(found=found(node), remedy=_number_advice(node, "a decimal number, such as 0.02"))
    value = float(node.text)
    if not math.isfinite(value) or not kind.above < value < kind.below:
        return Unfit(found=found(node), remedy="give a number inside these bounds")
    return value


def _read_size(node: Scalar) -> Value | Unfit:
    if node.is_plain and _REAL.fullmatch(node.text):
        value = int(node.text) if _WHOLE.fullmatch(node.text) else float(node.text)
        if 0 <= value <= MAX_SIZE:
            return value
        return Unfit(found=found(node), remedy=f"give a size of 0 to {MAX_SIZE:g}")
    if _SIZE_MIX.fullmatch(node.text) or _SIZE_LIST.fullmatch(node.text):
        return Unfit(found=found(node), remedy="put it in quotes") if node.is_plain else node.text
    if node.is_plain and _is_ambiguous(node.text):
        return Unfit(found=found(node), remedy=_number_advice(node, "a plain number, such as 16"))
    if not _SIZE_WORD.fullmatch(node.text) and not _SIZE_BYTES.fullmatch(node.text):
        return Unfit(found=found(node), remedy="write a number such as 16, without quotes")
    return node.text


def _read_truth(node: Scalar) -> bool | Unfit:
    if node.is_plain and node.text in {"true", "false"}:
        return node.text == "true"
    return Unfit(found=found(node), remedy="write true or false, in small letters and without quotes")


def _read_word(node: Scalar, kind: Choice | Text) -> str | Unfit:
    if node.is_plain and _is_ambiguous(node.text):
        return Unfit(found=found(node), remedy=_word_advice(node))
    if isinstance(kind, Choice):
        if node.text in kind.words:
            return node.text
        return Unfit(found=found(node), remedy=nearest(node.text, kind.words))
    if not re.fullmatch(kind.pattern, node.text):
        return Unfit(found=found(node), remedy="choose another one")
    if node.text in kind.reserved:
        return Unfit(found=found(node), remedy=f"choose another one; {node.text} is a folder of its own")
    return node.text


def _is_ambiguous(text: str) -> bool:
    """True for plain text that YAML readers take for a number, truth value or nothing."""
    return text.lower() in _YAML_WORDS or _NUMBER_LIKE.fullmatch(text) is not None


def _word_advice(node: Scalar) -> str:
    if not node.text:
        return "write a word after the colon"
    return "other YAML readers take it for something else than text; put it in quotes if it is meant"


def _number_advice(node: Scalar, form: str) -> str:
    if not node.is_plain:
        return f"remove the quotes and write {form}"
    if re.fullmatch(r"[+-]?0[0-9]+", node.text):
        return "remove the leading zeros (some YAML readers take it for an octal number)"
    if node.text.lower() in _YAML_WORDS[2:]:
        return f"other YAML readers take it for a truth value or nothing; write {form}"
    return f"write {form}"

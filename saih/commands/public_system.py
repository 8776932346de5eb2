"""Public results in the place of a sweep: ``mlperf:PATH``, with a name and counts where they are given."""

import re
from pathlib import Path

from saih.domain.errors import UsageError
from saih.domain.system import System
from saih.interchange.mlperf_hpc import read_system

_SCHEME = "mlperf:"
_COUNTS = ("nodes", "gpus")
_PRECISION = re.compile(r"[a-z0-9]{1,20}")
_WRITE = "write NAME=mlperf:PATH, or NAME=mlperf:PATH,nodes=16,gpus=8,precision=bfloat16 (GPUs of a node)."


def public_system(word: str) -> System | None:
    """The system that a word of a command names; None for a word that names something else.

    Raises:
        UsageError: when the path or a count is wrong.
        DamagedData: when no log there can be read.
    """
    if word.startswith(_SCHEME):
        name, rest = "", word.removeprefix(_SCHEME)
    else:
        name, equals, rest = word.partition(f"={_SCHEME}")
        if not equals:
            return None
    path, told = _parted(rest)
    if not path:
        raise UsageError(f"{word!r} names no folder of logs", _WRITE)
    where = Path(path)
    return read_system(
        where,
        name or where.resolve().name,
        nodes=_count("nodes", told),
        gpus_per_node=_count("gpus", told),
        precision=_precision(told),
    )


def _parted(text: str) -> tuple[str, dict[str, str]]:
    """The path, which may hold commas itself, and what is told after it."""
    told: dict[str, str] = {}
    while True:
        path, comma, last = text.rpartition(",")
        key, _, value = last.partition("=")
        if not comma or key not in (*_COUNTS, "precision"):
            return text, told
        told.setdefault(key, value)
        text = path


def _count(key: str, told: dict[str, str]) -> int | None:
    number = told.get(key)
    if number is None:
        return None
    is_count = number.isascii() and number.isdigit() and len(number) < 8
    if not is_count or (key == "nodes" and not int(number)):
        raise UsageError(f"{number!r} is no number of {key}", _WRITE)
    return int(number)


def _precision(told: dict[str, str]) -> str:
    precision = told.get("precision", "")
    if "precision" in told and not _PRECISION.fullmatch(precision):
        raise UsageError(f"{precision!r} is no precision", _WRITE)
    return precision

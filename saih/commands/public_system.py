"""Public results in the place of a sweep: ``mlperf:PATH``, with a name and counts where they are given."""

from pathlib import Path

from saih.domain.errors import UsageError
from saih.domain.system import System
from saih.interchange.mlperf_hpc import read_system

_SCHEME = "mlperf:"
_COUNTS = ("nodes", "gpus")
_WRITE = "write NAME=mlperf:PATH, or NAME=mlperf:PATH,nodes=16,gpus=8 (GPUs of a node)."


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
    path, counts = _parted(rest)
    if not path:
        raise UsageError(f"{word!r} names no folder of logs", _WRITE)
    where = Path(path)
    return read_system(
        where, name or where.resolve().name, nodes=counts.get("nodes"), gpus_per_node=counts.get("gpus")
    )


def _parted(text: str) -> tuple[str, dict[str, int]]:
    """The path, which may hold commas itself, and the counts after it."""
    counts: dict[str, int] = {}
    while True:
        path, comma, last = text.rpartition(",")
        key, _, number = last.partition("=")
        if not comma or key not in _COUNTS:
            return text, counts
        if not (number.isascii() and number.isdigit() and len(number) < 8) or (
            key == "nodes" and not int(number)
        ):
            raise UsageError(f"{last!r} is no number of {key}", _WRITE)
        counts.setdefault(key, int(number))
        text = path

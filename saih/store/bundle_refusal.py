"""How a bundle is refused: by the name of what is wrong in it."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from saih.domain.errors import DamagedData

T = TypeVar("T")

_REMEDY = (
    "nothing of it was imported: ask for the bundle again, as `saih bundle` wrote it, "
    "and compare its fingerprint."
)
_MAX_SHOWN = 120


def refusal(problem: str, name: str = "") -> DamagedData:
    """The error that says what is wrong in a bundle, in the entry ``name`` if it is in one."""
    shown = repr(name[:_MAX_SHOWN]) + ("..." if len(name) > _MAX_SHOWN else "")
    where = f", entry {shown}" if name else ""
    return DamagedData(f"the bundle is refused{where}: {problem}.", _REMEDY)


def decoded(decode: Callable[[bytes, Path], T], data: bytes, name: str) -> T:
    """The value of the file ``name`` of a bundle.

    Raises:
        DamagedData: when it is none, as a refusal of the bundle.
    """
    try:
        return decode(data, Path(name))
    except DamagedData as error:
        raise refusal(error.problem.removesuffix(".")) from error

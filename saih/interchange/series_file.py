"""A file or folder of others as series: which format it has shows in its first lines."""

import stat
from collections.abc import Mapping
from pathlib import Path

from saih.domain.errors import DamagedData, SaihError, UsageError
from saih.domain.series import Series
from saih.interchange.extrap_text import parse_extrap
from saih.interchange.mllog import TOKEN
from saih.interchange.mllog_series import read_mllog_series
from saih.interchange.series_csv import parse_csv
from saih.interchange.series_rows import UNTOLD, Told
from saih.interchange.series_text import MAX_BYTES

_EXTRAP_WORDS = ("PARAMETER", "POINTS", "METRIC", "REGION", "EXPERIMENT", "{")
_PACKED: Mapping[bytes, str] = {
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "packed by gzip",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ": "packed by xz",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF",
    b"\x89HDF": "an HDF5 file",
}
FORMATS = "CSV, MLPerf logs (or a folder of them), and Extra-P text or JSON lines"


def read_series(path: Path, told: Told = UNTOLD) -> tuple[Series, ...]:
    """The series in a file, or in the MLPerf logs below a folder.

    ``told`` is what the user tells where the file does not.

    Raises:
        UsageError: when there is no such file, or no log in a folder.
        DamagedData: when it is too large or cannot be read; with the line where there is one.
    """
    if path.is_dir():
        return read_mllog_series(path, told)
    content = _content(path)
    packed = next((words for begin, words in _PACKED.items() if content.startswith(begin)), None)
    if packed is not None:
        raise DamagedData(f"{path} is {packed}, no text", f"unpack or export it first; SAIH reads {FORMATS}.")
    if TOKEN.encode() in content:
        return read_mllog_series(path, told)
    if _first_word(content).startswith(_EXTRAP_WORDS):
        return parse_extrap(content, str(path), told)
    return parse_csv(content, str(path), told)


def _content(path: Path) -> bytes:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"{path} is no regular file", "give a file, or a folder of MLPerf logs.")
        if found.st_size > MAX_BYTES:
            raise DamagedData(
                f"{path} has {found.st_size} bytes, more than {MAX_BYTES}",
                "keep the lines that are needed, or split it.",
            )
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", "check the path.") from None
    except (OSError, ValueError) as error:
        raise SaihError(f"{str(path)[:200]} cannot be read: {error}", "check the path.") from error
    if not content.strip():
        raise DamagedData(f"line 1 of {path} cannot be read: the file is empty", f"SAIH reads {FORMATS}.")
    if len(content) > MAX_BYTES:
        raise DamagedData(f"{path} grew beyond {MAX_BYTES} bytes while it was read", "take a finished file.")
    return content


def _first_word(content: bytes) -> str:
    """Of the first line that is no comment."""
    for line in content[:65_536].decode("utf-8-sig", errors="replace").splitlines():
        if line.strip() and not line.startswith("#"):
            return line.strip()
    return ""

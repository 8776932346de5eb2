"""The text of a sweep file, read so that no file can hang or flood the reader."""

import io
import os
import stat
from pathlib import Path

from saih.domain.errors import UsageError

MAX_FILE_BYTES = 1_000_000
"""A sweep file has tens of lines; a larger one is something else."""


def read_text(path: Path, what: str = "sweep", command: str = "saih init") -> str:
    """The text of a regular UTF-8 file of at most 1 MB; a byte-order mark is dropped.

    ``what`` it is a file of, and the ``command`` that writes one, are told to users.

    Raises:
        UsageError: for anything else, before more than 1 MB of it was read.
    """
    content = _read_bytes(path, what, command)
    if len(content) > MAX_FILE_BYTES:
        raise UsageError(
            f"{path} is larger than {MAX_FILE_BYTES} bytes", f"give a {what} file; it has tens of lines."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{path}:{line} is not UTF-8 text (byte 0x{content[error.start]:02x} at offset {error.start})",
            "save the file as UTF-8, for instance with `iconv -f latin1 -t utf-8`.",
        ) from error


def _read_bytes(path: Path, what: str, command: str) -> bytes:
    try:
        with io.FileIO(path, opener=_open_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"{path} is not a regular file", f"give the path of a {what} file.")
            return file.read(MAX_FILE_BYTES + 1) or b""
    except FileNotFoundError as error:
        raise UsageError(
            f"there is no {what} file {path}", f"check the path, or write one with `{command} {path}`."
        ) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"{str(path)!r} cannot be read: {reason}", f"give a readable {what} file."
        ) from error


def _open_without_waiting(path: str, flags: int) -> int:
    """Without O_NONBLOCK the open of a FIFO would wait for a writer."""
    return os.open(path, flags | os.O_NONBLOCK)

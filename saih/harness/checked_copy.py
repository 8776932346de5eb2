"""A file copied block by block, with the checksum that it must have."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from saih.domain.errors import DamagedData

BLOCK_BYTES = 4 << 20


def copy_checked(source: Path, target: Path, sha256: str, progress: Callable[[], None]) -> int:
    """Copy ``source`` and force it to disk, so that nothing is still written while steps are measured.

    ``progress`` is called after every block. Gives the number of bytes.

    Raises:
        DamagedData: when the bytes do not have the SHA-256 that is asked for (in hexadecimal; empty: any).
        OSError: when they cannot be read, or there is no room for them.
    """
    digest, num_bytes, buffer = hashlib.sha256(), 0, memoryview(bytearray(BLOCK_BYTES))
    with source.open("rb", buffering=0) as read, target.open("wb", buffering=0) as written:
        while count := read.readinto(buffer):
            block = buffer[:count]
            if sha256:
                digest.update(block)
            while block:
                block = block[written.write(block) :]
            num_bytes += count
            progress()
        os.fsync(written.fileno())
    if sha256 and digest.hexdigest() != sha256:
        raise DamagedData(
            f"{source} does not have the SHA-256 of its data set's manifest",
            "delete that file and generate the data set again: what is whole is kept.",
        )
    return num_bytes

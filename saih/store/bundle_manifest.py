"""The list of all files of a bundle with the SHA-256 of each, as ``sha256sum`` writes it; and its own hash.

The hash of the list is the fingerprint of the bundle: it changes with any byte of any file.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

from saih.store.bundle_refusal import refusal

_LINE = re.compile(rb"([0-9a-f]{64})  ([!-~]{1,200})")
_LONGEST = 300


def manifest(sha256: Mapping[str, str]) -> bytes:
    """The list of files by name, such as ``sha256sum --check`` reads."""
    return "".join(f"{sha256[name]}  {name}\n" for name in sorted(sha256)).encode()


def fingerprint(listed: bytes) -> str:
    """The fingerprint of a bundle with this list."""
    return hashlib.sha256(listed).hexdigest()


def manifest_lines(pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Name and SHA-256 of each file in a list that comes in pieces; it is never held whole.

    Raises:
        DamagedData: for anything but such lines, by growing name.
    """
    rest, previous = b"", ""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            name, sha256 = _entry(line)
            if name <= previous:
                raise refusal(f"its list of files has {name!r} twice or out of order")
            yield name, sha256
            previous = name
        if len(rest) > _LONGEST:
            raise refusal("its list of files holds a line that is no entry")
    if rest:
        raise refusal("its list of files is cut short")


def _entry(line: bytes) -> tuple[str, str]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise refusal(f"its list of files holds {line[:80]!r}, which is no entry")
    return found[2].decode("ascii"), found[1].decode("ascii")

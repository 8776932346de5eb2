"""A bundle verified whole: its ZIP file, its list of files, and every value in it. Nothing is written here.

A bundle is never held in memory: it is read file by file, and at most the files of one attempt are kept.
"""

import hashlib
import json
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from saih.domain.bundle import BUNDLE_SCHEMA, Bundle
from saih.domain.errors import DamagedData, UsageError
from saih.domain.point import SCHEMA_VERSION
from saih.store.bundle_census import Census
from saih.store.bundle_layout import ABOUT, CRATE, DEFINITION, MANIFEST, README, attempt_of
from saih.store.bundle_manifest import manifest_lines
from saih.store.bundle_record import check_attempt
from saih.store.bundle_refusal import refusal
from saih.store.bundle_zip import Directory, Entry, contents, entries, read_directory
from saih.store.document import parse
from saih.store.structure import from_json
from saih.store.sweep_folder import SweepFolder

ABOUT_KIND = "saih bundle"
Keep = Callable[[str, Iterable[bytes]], None]
"""Takes the name of a file and all of its bytes in pieces, before they are known to be right."""
_REQUIRED = (README, ABOUT, MANIFEST, CRATE, DEFINITION)
_MAX_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a bundle holds; everything in it is what its list of files says, and fits together."""

    about: Bundle
    fingerprint: str
    definition: Mapping[str, Any]  # Any: plain JSON values
    point_ids: frozenset[str]
    num_files: int


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """The descriptor of a bundle file.

    Raises:
        UsageError: when there is no such file, or it cannot be read.
    """
    try:
        # O_NONBLOCK: opening a pipe that nobody writes must not wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{str(path)[:200]!r} cannot be read: {said}", "name a bundle file.") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError(f"{str(path)[:200]!r} is not a regular file", "name a bundle file.")
        yield descriptor
    finally:
        os.close(descriptor)


def drop(_name: str, pieces: Iterable[bytes]) -> None:
    """Keep nothing of a file."""
    deque(pieces, maxlen=0)


def verify(descriptor: int, keep: Keep = drop) -> Verified:
    """What an open bundle holds; each of its files goes through ``keep`` on the way.

    Raises:
        DamagedData: for anything in it that is not as ``saih bundle`` writes it, by name.
    """
    directory = read_directory(descriptor)
    about = _read_about(descriptor, directory)
    listing = _require_files(descriptor, directory)
    census = Census()
    files = _files(descriptor, directory, listing, keep)
    for attempt, group in groupby(files, key=lambda file: (attempt_of(file[0]) or ())[:2]):
        if attempt:
            # A hostile bundle may have many files here, each of which was allowed by name: five kinds.
            census.add_attempt(
                check_attempt(*attempt, {name.rpartition("/")[2]: data for name, data in group})
            )
        else:
            for name, data in group:
                census.add_file(name, data)
    census.require(about)
    return Verified(
        about=about,
        fingerprint=_kept_listing(descriptor, listing, keep),
        definition=census.definition,
        point_ids=frozenset(census.point_ids),
        num_files=directory.num_entries,
    )


def _read_about(descriptor: int, directory: Directory) -> Bundle:
    """What the bundle says of itself.

    It is among the first entries: a newer schema is told as such before its unknown files are.
    """
    entry = next((one for one in entries(descriptor, directory) if one.name == ABOUT), None)
    if entry is None:
        raise refusal("it is missing; this ZIP file is no bundle", ABOUT)
    data = b"".join(contents(descriptor, entry))
    _require_known_schema(data)
    try:
        about: Bundle = parse(ABOUT_KIND, data, ABOUT, lambda value: from_json(Bundle, value))
        SweepFolder(Path(), about.name)
    except (DamagedData, UsageError) as error:
        raise refusal(error.problem.removesuffix(".")) from error
    return about


def _require_known_schema(data: bytes) -> None:
    try:
        envelope = json.loads(data)
        content = envelope["content"]
        schemas = (content["bundle_schema"], envelope["schema_version"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise refusal("it does not say which schema it has", ABOUT) from error
    if any(type(schema) is not int or schema < 1 for schema in schemas):
        raise refusal(f"its schema is {str(schemas)[:_MAX_SHOWN]}, which is none", ABOUT)
    if schemas[0] > BUNDLE_SCHEMA or schemas[1] > SCHEMA_VERSION:
        writer = str(content.get("saih_version"))[:_MAX_SHOWN]
        raise DamagedData(
            f"the bundle has schema {schemas[0]} (documents: {schemas[1]}); this SAIH reads up to "
            f"{BUNDLE_SCHEMA} ({SCHEMA_VERSION}).",
            f"import it with SAIH {writer}, which wrote it, or a later one.",
        )


def _require_files(descriptor: int, directory: Directory) -> Entry:
    """Look at every entry before any is unpacked; gives the one of the list of files."""
    alone = {one.name: one for one in entries(descriptor, directory) if one.name in _REQUIRED}
    for name in _REQUIRED:
        if name not in alone:
            raise refusal("it is missing", name)
    return alone[MANIFEST]


def _files(descriptor: int, directory: Directory, listing: Entry, keep: Keep) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every file but the list, each as that list says; no bytes of what is not decoded."""
    listed = manifest_lines(contents(descriptor, listing))
    for entry in entries(descriptor, directory):
        if entry.name == MANIFEST:
            continue
        name, sha256 = next(listed, ("", ""))
        if not name or name > entry.name:
            raise refusal("it was added: the list of files does not have it", entry.name)
        if name < entry.name:
            raise refusal("it was removed: the list of files has it", name)
        digest, data = hashlib.sha256(), bytearray()
        is_decoded = name not in (CRATE, README)
        keep(name, _noted(contents(descriptor, entry), digest.update, data.extend if is_decoded else None))
        if digest.hexdigest() != sha256:
            raise refusal("it was changed: its SHA-256 is not the one in the list of files", name)
        yield name, bytes(data)
    for name, _ in listed:
        raise refusal("it was removed: the list of files has it", name)


def _kept_listing(descriptor: int, listing: Entry, keep: Keep) -> str:
    """The fingerprint: the hash of the list of files."""
    digest = hashlib.sha256()
    keep(MANIFEST, _noted(contents(descriptor, listing), digest.update, None))
    return digest.hexdigest()


def _noted(
    pieces: Iterable[bytes], note: Callable[[bytes], None], collect: Callable[[bytes], None] | None
) -> Iterator[bytes]:
    for piece in pieces:
        note(piece)
        if collect is not None:
            collect(piece)
        yield piece

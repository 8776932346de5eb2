"""A bundle as a sweep's folder: verified whole, unpacked beside, and put in its place by one rename."""

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from saih.domain.bundle import Origin
from saih.domain.errors import DamagedData, UsageError
from saih.store.bundle_layout import place_in_sweep
from saih.store.bundle_origin import encode_origin, origin_path, read_origin
from saih.store.bundle_refusal import refusal
from saih.store.bundle_verify import Keep, Verified, verify
from saih.store.files import make_folder, sync_folder, writing_at
from saih.store.leftover import held, remove_abandoned
from saih.store.sweep_folder import SweepFolder

_PREFIX = ".import-"


def is_imported(verified: Verified, folder: SweepFolder) -> bool:
    """Whether the folder is this bundle already; False where nothing is there.

    Raises:
        UsageError: when the folder holds something else.
    """
    if os.path.lexists(folder.path) and not folder.path.is_dir():
        raise _taken(folder, "a file")
    try:
        origin = read_origin(folder)
    except DamagedData as error:
        raise _taken(folder, "something whose origin does not verify") from error
    if origin is not None and origin.fingerprint == verified.fingerprint:
        return True
    if origin is not None:
        raise _taken(folder, f"another bundle, {origin.fingerprint}")
    if os.path.lexists(folder.path):
        raise _taken(folder, "a sweep of this site")
    return False


def import_bundle(descriptor: int, verified: Verified, folder: SweepFolder) -> None:
    """Make the folder of a bundle that was verified before; it appears whole or not at all.

    Raises:
        DamagedData: when the file is no longer what was verified.
        UsageError: when something took the name meanwhile.
    """
    with writing_at(folder.root), _private(folder) as fresh:
        again = verify(descriptor, _keeper(fresh))
        if again != verified:
            raise refusal("it changed while it was read")
        origin = Origin(
            fingerprint=verified.fingerprint,
            name=verified.about.name,
            saih_version=verified.about.saih_version,
            is_anonymised=verified.about.is_anonymised,
            imported_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        _write_new(origin_path(fresh), [encode_origin(origin)])
        # All of it at once: a commit for each of many thousand files takes minutes.
        os.sync()
        _put(fresh, folder)
    sync_folder(folder.root)


@contextmanager
def _private(folder: SweepFolder) -> Iterator[Path]:
    """A folder of the same name, in one that nobody else looks into, and that is gone afterwards."""
    make_folder(folder.root)
    remove_abandoned(folder.root, _PREFIX)
    around = folder.root / f"{_PREFIX}{secrets.token_hex(4)}.tmp"
    around.mkdir(mode=0o700)
    fresh = around / folder.name
    fresh.mkdir(mode=0o700)
    try:
        with held(around):
            yield fresh
    finally:
        shutil.rmtree(around, ignore_errors=True)


def _keeper(fresh: Path) -> Keep:
    def keep(name: str, pieces: Iterable[bytes]) -> None:
        path = fresh / place_in_sweep(name)
        for parent in reversed(path.relative_to(fresh).parents):
            (fresh / parent).mkdir(mode=0o700, exist_ok=True)
        _write_new(path, pieces)

    return keep


def _write_new(path: Path, pieces: Iterable[bytes]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        for piece in pieces:
            file.write(piece)


def _put(fresh: Path, folder: SweepFolder) -> None:
    try:
        fresh.rename(folder.path)
    except OSError as error:
        if not os.path.lexists(folder.path):
            raise
        raise _taken(folder, "something that appeared meanwhile") from error


def _taken(folder: SweepFolder, what: str) -> UsageError:
    return UsageError(f"{folder.path} holds {what}; nothing was imported", "give another name: --name OTHER.")

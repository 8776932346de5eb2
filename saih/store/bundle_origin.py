"""How a folder of results says that it was imported, and what follows from that."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from saih.domain.bundle import Origin
from saih.domain.errors import DamagedData, UsageError
from saih.store.bundle_layout import KEPT_BELOW, MANIFEST, MAX_LIST_BYTES, place_in_sweep
from saih.store.bundle_manifest import fingerprint, manifest_lines
from saih.store.document import render
from saih.store.files import read_file
from saih.store.note import read_note
from saih.store.sweep_folder import SweepFolder

_NAME = "imported.json"
_KIND = "saih origin"
_REMEDY = "delete the folder of this sweep and import its bundle again."


def encode_origin(origin: Origin) -> bytes:
    """The document of an origin."""
    return render(_KIND, origin)


def origin_path(sweep_path: Path) -> Path:
    """Where an imported sweep says where it came from."""
    return sweep_path / _NAME


def read_origin(folder: SweepFolder) -> Origin | None:
    """Where a sweep was imported from; None for one that is measured here.

    Raises:
        DamagedData: when that does not verify.
    """
    return read_note(_KIND, Origin, origin_path(folder.path), remedy=_REMEDY)


def ceilings_root(folder: SweepFolder) -> Path:
    """The folder below which the ceilings of a sweep are: its own, where it was imported.

    So the ceilings of another machine never meet those of this one, even where the environments are alike.
    """
    return folder.root if read_origin(folder) is None else folder.path


def require_measured_here(folder: SweepFolder) -> None:
    """Refuse to measure into an imported sweep.

    Raises:
        UsageError: then, with what to do instead.
    """
    origin = read_origin(folder)
    if origin is not None:
        raise UsageError(
            f"{folder.path} was imported (bundle {origin.fingerprint[:16]}, {origin.name} of another site); "
            "nothing is measured into it",
            f"measure the same points here under another name: `saih sweep {folder.name} --name OTHER`; "
            f"then `saih compare {folder.name} OTHER`.",
        )


def imported_files(folder: SweepFolder) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every file of the bundle that a sweep was imported from, by name.

    Raises:
        DamagedData: when one of them is gone or was changed since.
    """
    origin = read_origin(folder)
    listing_path = folder.path / KEPT_BELOW / MANIFEST
    listing = _bytes(listing_path)
    if origin is None or fingerprint(listing) != origin.fingerprint:
        raise _changed(listing_path)
    names = dict(manifest_lines([listing]))
    for name in sorted([*names, MANIFEST]):
        path = folder.path / place_in_sweep(name)
        data = listing if name == MANIFEST else _bytes(path)
        if name != MANIFEST and hashlib.sha256(data).hexdigest() != names[name]:
            raise _changed(path)
        yield name, data


def _bytes(path: Path) -> bytes:
    try:
        return read_file(path, MAX_LIST_BYTES)
    except FileNotFoundError as error:
        raise _changed(path) from error


def _changed(path: Path) -> DamagedData:
    return DamagedData(f"{path} is not what was imported: it is missing or was changed.", _REMEDY)

"""A sweep written as one bundle file: the same records give the same bytes."""

import hashlib
import secrets
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from saih.domain.bundle import BUNDLE_SCHEMA, Bundle, Credit
from saih.domain.errors import DamagedData, SaihError, UsageError
from saih.store.bundle_anonymity import Names
from saih.store.bundle_contents import Contents, files_of, find_contents
from saih.store.bundle_crate import Listed, crate
from saih.store.bundle_layout import ABOUT, CRATE, MANIFEST, MAX_RATIO, README, max_bytes
from saih.store.bundle_manifest import manifest
from saih.store.bundle_origin import imported_files, read_origin
from saih.store.bundle_readme import readme
from saih.store.bundle_verify import ABOUT_KIND, Verified, opened, verify
from saih.store.bundle_zip import DATE_TIME, MODE, UNIX
from saih.store.document import render
from saih.store.files import sync_folder, writing_at
from saih.store.leftover import held, remove_abandoned
from saih.store.sweep_folder import SweepFolder

SUFFIX = ".saih.zip"
_LEVEL = 6
_SAFE_RATIO = MAX_RATIO // 2


def write_bundle(
    folder: SweepFolder, output: Path | None, *, names: Names | None, credit: Credit, saih_version: str
) -> tuple[Path, Verified]:
    """Write a sweep as a bundle file, ``NAME.saih.zip`` unless ``output`` is given; it replaces an older one.

    ``names`` are replaced by pseudonyms, with those that the records name; None keeps names. An imported
    sweep is written as it came, byte for byte.

    Raises:
        UsageError: for nothing to bundle, or an imported sweep that is to be changed.
        DamagedData: when something of the sweep does not verify.
    """
    if read_origin(folder) is None:
        contents = find_contents(folder, names)
        name, files = contents.name, _all_files(contents, credit, saih_version)
    else:
        if names is not None or credit != Credit():
            raise UsageError(
                f"the sweep {folder.name} was imported; it is bundled as it came, or not at all",
                "leave --anonymise, --license and --author out, or ask who measured it for another bundle.",
            )
        name, files = folder.name, imported_files(folder)
    path = Path(f"{name}{SUFFIX}") if output is None else output
    return path, _publish(path, files)


def _all_files(contents: Contents, credit: Credit, saih_version: str) -> Iterator[tuple[str, bytes]]:
    """Every file of the bundle by name; the measured ones are read twice, since the list needs all hashes."""
    about = Bundle(
        bundle_schema=BUNDLE_SCHEMA,
        saih_version=saih_version,
        name=contents.name,
        environment_ids=tuple(sorted(set(contents.environment_ids.values()))),
        num_points=len(contents.point_ids),
        num_attempts=len(contents.attempts),
        last_finished_utc=contents.last_finished_utc,
        is_anonymised=contents.pseudonyms is not None,
        credit=credit,
    )
    ours = {README: readme(about), ABOUT: render(ABOUT_KIND, about)}
    listed = {name: _listed(data) for name, data in (*ours.items(), *files_of(contents))}
    ours[CRATE] = crate(about, listed)
    hashes = {name: one.sha256 for name, one in listed.items()} | {CRATE: _listed(ours[CRATE]).sha256}
    ours[MANIFEST] = manifest(hashes)
    left = sorted(ours)
    for name, data in files_of(contents):
        while left and left[0] < name:
            yield left[0], ours[left.pop(0)]
        yield name, data
    for name in left:
        yield name, ours[name]


def _publish(path: Path, files: Iterable[tuple[str, bytes]]) -> Verified:
    """Write beside, read it back as an importer would, and only then put it in its place."""
    prefix = f".{path.name}."
    temporary = path.with_name(f"{prefix}{secrets.token_hex(4)}.tmp")
    remove_abandoned(path.parent, prefix)
    with writing_at(path.parent):
        try:
            temporary.touch(mode=0o644, exist_ok=False)
            with held(temporary):
                _write(temporary, files)
                sync_folder(temporary)
                verified = _read_back(temporary)
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return verified


def _read_back(path: Path) -> Verified:
    try:
        with opened(path) as descriptor:
            return verify(descriptor)
    except DamagedData as error:
        raise DamagedData(
            f"the sweep cannot be bundled: {error.problem}",
            "see `saih status`; restore what is damaged, or delete it and measure it again.",
        ) from error


def _write(path: Path, files: Iterable[tuple[str, bytes]]) -> None:
    with path.open("r+b") as file, zipfile.ZipFile(file, "w") as packed:
        for name, data in files:
            limit = max_bytes(name) or 0
            if len(data) > limit:
                raise SaihError(
                    f"{name} has {len(data)} bytes; a bundle takes at most {limit} of such a file.",
                    "give that point fewer steps, or leave it out of the sweep.",
                )
            entry = zipfile.ZipInfo(name, DATE_TIME)
            entry.create_system, entry.external_attr = UNIX, MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED if _is_worth_packing(data) else zipfile.ZIP_STORED
            packed.writestr(entry, data, compresslevel=_LEVEL)


def _is_worth_packing(data: bytes) -> bool:
    """Whether packing makes a file smaller, and not so much that it would be taken for a bomb."""
    packed = len(zlib.compress(data, _LEVEL))
    return packed < len(data) < _SAFE_RATIO * packed


def _listed(data: bytes) -> Listed:
    return Listed(num_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())

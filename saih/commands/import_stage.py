"""A bundle file to a folder of results."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from saih.commands.bundling import bundle_json, require_own_points
from saih.commands.outcome import where_option
from saih.domain.bundle import UNVERIFIED
from saih.domain.quantity import counted
from saih.store.bundle_import import import_bundle, is_imported
from saih.store.bundle_verify import Verified, opened, verify
from saih.store.sweep_folder import SweepFolder

State = Literal["imported", "already imported", "verified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of a bundle file."""

    state: State
    folder: SweepFolder
    verified: Verified

    @property
    def lines(self) -> tuple[str, ...]:
        """What there is to tell."""
        about = self.verified.about
        anonymised = "anonymised and " if about.is_anonymised else ""
        counts = f"{counted(about.num_points, 'point')}, {counted(about.num_attempts, 'attempt')}"
        return (
            f"{about.name}: {counts}, {anonymised}bundled by SAIH {about.saih_version}",
            f"fingerprint: {self.verified.fingerprint}",
            f"Every file is what the bundle lists. It is an {UNVERIFIED}.",
            self._next,
        )

    @property
    def place(self) -> str:
        """The folder of the sweep, or the fingerprint where none was made."""
        return self.verified.fingerprint if self.state == "verified" else str(self.folder.path)

    @property
    def content(self) -> dict[str, Any]:
        """The same as JSON values."""
        folder = None if self.state == "verified" else str(self.folder.path)
        return {
            "state": self.state,
            "sweep": self.folder.name,
            "folder": folder,
            **bundle_json(self.verified),
        }

    @property
    def _next(self) -> str:
        if self.state == "verified":
            return "Nothing was written."
        where = where_option(self.folder)
        done = "imported" if self.state == "imported" else "it was imported already; nothing was changed"
        return f"{done}; next: saih report {self.folder.name}{where}"


def import_file(file: Path, results_folder: Path, name: str | None, *, is_dry: bool) -> Imported:
    """Verify a bundle file and, unless ``is_dry``, make the folder of its sweep.

    Raises:
        UsageError: when there is no such file, or the name is taken.
        DamagedData: when anything in it is not as `saih bundle` writes it.
    """
    with opened(file) as descriptor:
        verified = verify(descriptor)
        require_own_points(verified)
        folder = SweepFolder(results_folder, name or verified.about.name)
        if is_dry:
            return Imported(state="verified", folder=folder, verified=verified)
        if is_imported(verified, folder):
            return Imported(state="already imported", folder=folder, verified=verified)
        import_bundle(descriptor, verified, folder)
    return Imported(state="imported", folder=folder, verified=verified)

"""Reading everything in a data folder again, and what was found damaged."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmology.manifest import is_sealed
from cosmology.verification import Damage, FileCheck, Thoroughness, verify, verify_universes
from saih.commands.data_choice import telling_damage
from saih.commands.lines import Lines, stderr_is_live
from saih.domain.errors import DamagedData
from saih.domain.quantity import counted, with_si


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFolder:
    """What was read, and all that does not verify."""

    num_data_sets: int
    num_files: int
    num_samples: int
    num_bytes: int
    damages: tuple[Damage, ...]
    unfinished: tuple[str, ...]
    """Folders of data sets, and universes, that are still to be finished, and were left out."""

    @property
    def exit_code(self) -> int:
        """That of damaged data where any is."""
        return DamagedData.exit_code if self.damages else 0

    @property
    def lines(self) -> tuple[str, ...]:
        """Every damage, then what was read."""
        read = (
            f"{counted(self.num_data_sets, 'data set')}: {counted(self.num_files, 'file')}, "
            f"{counted(self.num_samples, 'sample')}, {with_si(self.num_bytes, 'B')} read; "
        )
        verdict = counted(len(self.damages), "damage") if self.damages else "nothing is damaged"
        unfinished = (f"{name}: not finished, so not verified" for name in self.unfinished)
        return (*(_line(damage) for damage in self.damages), *unfinished, read + verdict)

    @property
    def content(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "is_whole": not self.damages,
            "num_data_sets": self.num_data_sets,
            "num_files": self.num_files,
            "num_samples": self.num_samples,
            "num_bytes": self.num_bytes,
            "unfinished": list(self.unfinished),
            "damages": [
                {"path": str(damage.path), "sample": damage.sample, "reason": damage.reason}
                for damage in self.damages
            ],
        }


def check_folder(
    data_folder: Path, folders: Sequence[Path], thoroughness: Thoroughness, *, is_part: bool
) -> CheckedFolder:
    """Read every file and sample of data sets; of the whole data folder the universes too.

    Raises:
        DamagedData: when a codec of the files is not installed, so that nothing can be said.
    """
    lines = Lines(is_live=stderr_is_live(), told_s=time.monotonic())
    sealed = [folder for folder in folders if is_sealed(folder)]
    universes = [] if is_part else sorted(data_folder.glob("universes-*"))
    num_files = num_samples = num_bytes = 0
    damages: list[Damage] = []
    unfinished = [folder.name for folder in folders if folder not in sealed]
    with telling_damage():
        for check in _checks(sealed, universes, thoroughness):
            if not check.is_finished:
                unfinished.append(f"{check.path.parent.name}/{check.path.name}")
                continue
            num_files, num_samples = num_files + 1, num_samples + check.num_samples
            num_bytes += check.num_bytes
            damages += check.damages
            found = f", {counted(len(damages), 'damage')}" if damages else ""
            lines.now(f"{counted(num_files, 'file')}, {with_si(num_bytes, 'B')} read{found}: {check.path}")
    lines.close()
    return CheckedFolder(
        num_data_sets=len(sealed),
        num_files=num_files,
        num_samples=num_samples,
        num_bytes=num_bytes,
        damages=tuple(damages),
        unfinished=tuple(unfinished),
    )


def _checks(
    data_sets: Sequence[Path], universes: Sequence[Path], thoroughness: Thoroughness
) -> Iterator[FileCheck]:
    for folder in data_sets:
        yield from verify(folder, thoroughness)
    for folder in universes:
        yield from verify_universes(folder)


def _line(damage: Damage) -> str:
    return damage.reason if str(damage.path) in damage.reason else f"{damage.path}: {damage.reason}"

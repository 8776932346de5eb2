"""Data sets to the files of others and back, with progress."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmology.choices import Split
from cosmology.imported import ImportedDefinition
from cosmology.layout import dataset_folder
from cosmology.official_export import Exported, ExportRules, check_split, export_official
from cosmology.official_import import definition_of, import_source
from cosmology.official_source import ReadingRules, find_source
from cosmology.share import Share
from cosmology.stored_definition import stored_definition
from saih.commands.data_choice import telling_damage, telling_misuse
from saih.commands.lines import Lines, stderr_is_live
from saih.domain.errors import UsageError
from saih.domain.quantity import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A data set that was made of official files."""

    folder: Path
    definition: ImportedDefinition
    is_finished: bool
    """False where other parts are still to be imported."""

    @property
    def line(self) -> str:
        """What there is to tell."""
        definition = self.definition
        counts = f"{counted(definition.num_samples, 'sample')} of {definition.num_universes} universes"
        state = "" if self.is_finished else "; other parts are still to be imported"
        return f"{definition.split}: {counts}, data set {definition.dataset_id}{state}"

    @property
    def content(self) -> dict[str, Any]:
        """The same as JSON values."""
        definition = self.definition
        return {
            "dataset_id": definition.dataset_id,
            "folder": str(self.folder),
            "is_finished": self.is_finished,
            "split": str(definition.split),
            "num_samples": definition.num_samples,
            "num_universes": definition.num_universes,
            "sample_shape": list(definition.sample_shape),
        }


def export_folder(folder: Path, output: Path, rules: ExportRules) -> Exported:
    """Write the data set of a folder as official TFRecord files.

    Raises:
        UsageError: when the rules leave nothing to train on.
        DamagedData: when it does not verify, or the files cannot be written.
    """
    with telling_damage():
        definition = stored_definition(folder)
    with telling_misuse():
        check_split(definition, rules)
    with telling_damage():
        return export_official(definition, folder.parent, output, rules, _progress("samples"))


def import_folders(
    source: Path, split: str, data_folder: Path, rules: ReadingRules, share: Share
) -> tuple[Imported, ...]:
    """Make data sets of the official files of a folder, or of its folders ``train`` and ``validation``.

    Raises:
        UsageError: when there is no such folder.
        DamagedData: when a file is damaged, or the data sets cannot be written.
    """
    if not source.is_dir():
        raise UsageError(f"there is no folder {str(source)!r}.", "give the folder of the official files.")
    parts = {Split(kind): source / kind for kind in Split if (source / kind).is_dir()} or {
        Split(split): source
    }
    imported = []
    for kind, folder in parts.items():
        with telling_damage():
            found = find_source(folder, rules)
            definition = definition_of(found, kind)
            told = _progress(f"{kind} universes")
            is_finished = import_source(found, definition, data_folder, rules, told, share)
        place = dataset_folder(data_folder, definition)
        imported.append(Imported(folder=place, definition=definition, is_finished=is_finished))
    return tuple(imported)


def redshifts_of(text: str | None) -> tuple[float, ...]:
    """Redshifts that were given as ``0,0.5``; none where nothing was.

    Raises:
        UsageError: for what is no list of numbers.
    """
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError as error:
        raise UsageError(f"--redshifts is {text!r}.", "give numbers, such as 0,0.5,1.5,3.") from error


def share_of(text: str) -> Share:
    """The share that was given as ``2/8``: the second of eight.

    Raises:
        UsageError: for what is no such share.
    """
    number, _, count = text.partition("/")
    if not number.isdecimal() or not count.isdecimal():
        raise UsageError(f"--part is {text!r}.", "give two numbers, such as 2/8.")
    with telling_misuse():
        return Share(rank=int(number) - 1, num_ranks=int(count))


def _progress(what: str) -> Callable[[int, int], None]:
    """Tells how many of how many are done: on a terminal each time, elsewhere now and then."""
    lines = Lines(is_live=stderr_is_live(), told_s=time.monotonic())

    def tell(done: int, total: int) -> None:
        lines.now(f"{done} of {total} {what}")
        if done == total:
            lines.close()

    return tell

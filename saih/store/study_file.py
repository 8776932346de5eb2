"""Where studies of a sweep are kept: a document for each problem, one for the search, whole or absent.

Below the folder of the sweep, ``studies/ID.json`` tells of one problem and ``studies/frontier.json`` of the
search. ``studies/work-ID`` belongs to the application while it studies, so that a killed study goes on.
"""

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from saih.domain.errors import DamagedData
from saih.domain.study import Search, Studies, Validation
from saih.store.document import parse, render
from saih.store.fence import NO_FENCE, Fence
from saih.store.files import MAX_JSON_BYTES, make_folder, read_file, write_file, writing_at
from saih.store.structure import from_json
from saih.store.sweep_folder import SweepFolder

SEARCH_ID = "frontier"
"""Names the one search of a sweep where the studies of problems have their ids."""
STUDIES = "studies"
"""Folder of them in that of a sweep."""
_VALIDATION = re.compile(r"([0-9a-f]{16})\.json")
_VALIDATION_KIND, _SEARCH_KIND = "saih validation", "saih search"
_VALIDATION_REMEDY = (
    "delete this file; `saih validate` with the sweep studies the problem again, and no point is lost."
)
_SEARCH_REMEDY = "delete this file; `saih search` with the sweep searches again, and no point is lost."


def write_validation(folder: SweepFolder, validation: Validation, fence: Fence = NO_FENCE) -> None:
    """Keep what was found of a problem, replacing what was found before at once.

    Raises:
        Superseded: when the points were taken over; nothing is kept then.
    """
    _write(folder, validation.subject_id, encode_validation(validation), fence)


def read_validation(folder: SweepFolder, subject_id: str) -> Validation | None:
    """What was found of a problem; None where it was not studied.

    Raises:
        DamagedData: when it is not what was written, or belongs elsewhere.
    """
    path = _path(folder, subject_id)
    try:
        return decode_validation(read_file(path, MAX_JSON_BYTES), path, subject_id)
    except FileNotFoundError:
        return None


def read_studies(folder: SweepFolder) -> tuple[Studies, tuple[DamagedData, ...]]:
    """All that was studied of a sweep, and which files do not verify."""
    found: dict[str, Validation] = {}
    search: Search | None = None
    refused: list[DamagedData] = []
    for subject_id in _subject_ids(folder):
        try:
            validation = read_validation(folder, subject_id)
        except DamagedData as error:
            refused.append(error)
            continue
        if validation is not None:
            found[subject_id] = validation
    try:
        search = read_search(folder)
    except DamagedData as error:
        refused.append(error)
    return Studies(validations=found, search=search), tuple(refused)


def write_search(folder: SweepFolder, search: Search, fence: Fence = NO_FENCE) -> None:
    """Keep what a search found, replacing an earlier one at once.

    Raises:
        Superseded: when the points were taken over; nothing is kept then.
    """
    _write(folder, SEARCH_ID, encode_search(search), fence)


def read_search(folder: SweepFolder) -> Search | None:
    """What was found by searching; None where nobody searched.

    Raises:
        DamagedData: when it is not what was written.
    """
    path = _path(folder, SEARCH_ID)
    try:
        return decode_search(read_file(path, MAX_JSON_BYTES), path)
    except FileNotFoundError:
        return None


def encode_validation(validation: Validation) -> bytes:
    """The document of what was found of a problem."""
    return render(_VALIDATION_KIND, validation)


def decode_validation(data: bytes, path: Path | str, subject_id: str) -> Validation:
    """What a document says of this problem; DamagedData when it says nothing of it."""
    found: Validation = parse(
        _VALIDATION_KIND, data, path, lambda value: from_json(Validation, value), remedy=_VALIDATION_REMEDY
    )
    if found.subject_id != subject_id:
        raise DamagedData(f"{path} tells of problem {found.subject_id}.", _VALIDATION_REMEDY)
    return found


def encode_search(search: Search) -> bytes:
    """The document of what a search found."""
    return render(_SEARCH_KIND, search)


def decode_search(data: bytes, path: Path | str) -> Search:
    """What a document says of a search; DamagedData when it is none."""
    found: Search = parse(
        _SEARCH_KIND, data, path, lambda value: from_json(Search, value), remedy=_SEARCH_REMEDY
    )
    return found


def make_work_folder(folder: SweepFolder, study_id: str) -> Path:
    """A folder for the application while it studies; what an earlier, killed study left is still there."""
    path = _work_folder(folder, study_id)
    with writing_at(path.parent):
        make_folder(path)
    return path


def remove_work_folder(folder: SweepFolder, study_id: str) -> None:
    """Delete what a finished study needs no more; what cannot be deleted is in nobody's way."""
    shutil.rmtree(_work_folder(folder, study_id), ignore_errors=True)


def _write(folder: SweepFolder, study_id: str, document: bytes, fence: Fence) -> None:
    path = _path(folder, study_id)
    with writing_at(path.parent):
        make_folder(path.parent)
        if not fence.is_open:
            raise fence.superseded()
        write_file(path, document)


def _subject_ids(folder: SweepFolder) -> list[str]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder.path / STUDIES) as entries:
        matches = [match for entry in entries if (match := _VALIDATION.fullmatch(entry.name))]
        return sorted(match.group(1) for match in matches)
    return []


def _path(folder: SweepFolder, study_id: str) -> Path:
    return folder.path / STUDIES / f"{study_id}.json"


def _work_folder(folder: SweepFolder, study_id: str) -> Path:
    return folder.path / STUDIES / f"work-{study_id}"

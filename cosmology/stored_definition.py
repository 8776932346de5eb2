"""The definition of a data set that is on disk, whether it was generated or imported."""

from pathlib import Path

from cosmology.definition import DatasetDefinition
from cosmology.definition_reading import definition_from
from cosmology.imported import ORIGIN, ImportedDefinition, imported_from
from cosmology.manifest import read_header

StoredDefinition = DatasetDefinition | ImportedDefinition


def stored_definition(dataset_folder: Path) -> StoredDefinition:
    """What decides the data set whose manifest the folder holds.

    Raises:
        DatasetError: when there is no manifest, or it is damaged or of another version.
    """
    canonical = read_header(dataset_folder).canonical
    return imported_from(canonical) if canonical.get("origin") == ORIGIN else definition_from(canonical)

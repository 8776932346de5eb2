"""The definition of a data set from the plain values that its files hold."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from cosmology.dataset_error import DatasetError
from cosmology.definition import SCHEMA_VERSION, DatasetDefinition

_NAMES = tuple(field.name for field in fields(DatasetDefinition))


def definition_from(canonical: Mapping[str, Any]) -> DatasetDefinition:
    """The definition whose ``canonical`` this is.

    Raises:
        DatasetError: when it is of another version, lacks a value, or does not agree with itself.
    """
    version = canonical.get("schema_version")
    if version != SCHEMA_VERSION:
        raise DatasetError(
            f"the data set is of version {version!r}, this is version {SCHEMA_VERSION}: its files cannot be "
            "read; use the SAIH that made it, or generate the data set again."
        )
    absent = [name for name in _NAMES if name not in canonical]
    if absent:
        raise DatasetError(f"the definition lacks {', '.join(absent)}; generate the data set again.")
    values = {name: canonical[name] for name in _NAMES}
    redshifts = values["redshifts"]
    definition = DatasetDefinition(
        **{**values, "redshifts": tuple(redshifts) if isinstance(redshifts, list) else redshifts}
    )
    if definition.canonical != dict(canonical):
        raise DatasetError(
            f"the definition does not agree with itself (it should be {definition.canonical}); "
            "generate the data set again."
        )
    return definition

"""Where the measured ceilings of each environment and placement are kept."""

import re
from contextlib import suppress
from pathlib import Path

from saih.domain.ceiling import Ceilings
from saih.domain.errors import DamagedData
from saih.domain.point import Placement
from saih.store.codec import decode_ceilings, encode_ceilings
from saih.store.files import MAX_JSON_BYTES, make_folder, read_file, write_file, writing_at

CEILINGS = "ceilings"
"""Folder below the results folder."""


def write_ceilings(
    root: Path, ceilings: Ceilings, *, has_drifted: bool = False, reason: str = "measured again"
) -> Path:
    """Keep ``ceilings`` below the results folder ``root``, in front of older ones of the same placement.

    Curves of precisions that were not measured again stay in use. Where the machine ``has_drifted``, records
    from before stay bound to the older ones.
    """
    path = ceilings_path(root, ceilings.environment_id, ceilings.placement_label)
    with suppress(FileNotFoundError, DamagedData):  # what does not verify is not kept
        older = decode_ceilings(read_file(path, MAX_JSON_BYTES), path)
        ceilings = ceilings.after(older, has_drifted=has_drifted, reason=reason)
    with writing_at(path.parent):
        make_folder(path.parent)
        write_file(path, encode_ceilings(ceilings))
    return path


def read_ceilings(root: Path, environment_id: str, placement: Placement) -> Ceilings | None:
    """The ceilings of one environment and placement; None when they were not measured yet.

    Raises:
        DamagedData: when the file is not what was written, or belongs elsewhere.
    """
    path = ceilings_path(root, environment_id, placement.seats_label)
    try:
        ceilings = decode_ceilings(read_file(path, MAX_JSON_BYTES), path)
    except FileNotFoundError:
        return None
    if (ceilings.environment_id, ceilings.placement_label) != (environment_id, placement.seats_label):
        raise DamagedData(
            f"{path} holds the ceilings of {ceilings.placement_label} in environment "
            f"{ceilings.environment_id}.",
            "delete this file; `saih ceilings` with the sweep measures it again.",
        )
    return ceilings


def ceilings_of_any_environment(root: Path, placement: Placement) -> tuple[Ceilings, ...]:
    """The ceilings of a placement in each environment that measured it; what does not verify is left out."""
    found = []
    name = ceilings_path(root, "", placement.seats_label).name
    for path in sorted((root / CEILINGS).glob(f"*/{name}")):
        with suppress(FileNotFoundError, DamagedData):
            found.append(decode_ceilings(read_file(path, MAX_JSON_BYTES), path))
    return tuple(one for one in found if one.placement_label == placement.seats_label)


def ceilings_path(root: Path, environment_id: str, placement_label: str) -> Path:
    """Where the ceilings of one environment and placement are, or would be."""
    return root / CEILINGS / _slug(environment_id) / f"{_slug(placement_label)}.json"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")

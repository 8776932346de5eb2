"""The room that the machine had when its sweep last began: what dropped points were dropped for."""

from saih.domain.limits import Limits
from saih.store.codec import decode_limits, encode_limits
from saih.store.files import MAX_JSON_BYTES, read_file, write_file, writing_at
from saih.store.sweep_folder import SweepFolder

_NAME = "limits.json"


def write_limits(folder: SweepFolder, limits: Limits) -> None:
    """Keep ``limits`` beside the sweep's definition, replacing those of an earlier run."""
    with writing_at(folder.path):
        write_file(folder.path / _NAME, encode_limits(limits))


def read_limits(folder: SweepFolder) -> Limits | None:
    """The limits of the sweep's machine; None where none were kept.

    Raises:
        DamagedData: when they do not verify.
    """
    path = folder.path / _NAME
    try:
        return decode_limits(read_file(path, MAX_JSON_BYTES), path)
    except FileNotFoundError:
        return None

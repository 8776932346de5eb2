"""That points of a sweep are chosen while it runs, and how that ended; the choice itself is never kept."""

from pathlib import Path

from saih.domain.adaptive import Adaptive
from saih.store.document import parse, render
from saih.store.files import MAX_JSON_BYTES, read_file, write_file, writing_at
from saih.store.structure import from_json
from saih.store.sweep_folder import SweepFolder

ADAPTIVE = "adaptive.json"
_KIND = "saih adaptive"
_REMEDY = "delete the file and run the same sweep with --adaptive again: nothing that was measured is lost."


def write_adaptive(folder: SweepFolder, adaptive: Adaptive) -> None:
    """Keep ``adaptive`` beside the sweep's definition, replacing what was there."""
    with writing_at(folder.path):
        write_file(folder.path / ADAPTIVE, encode_adaptive(adaptive))


def read_adaptive(folder: SweepFolder) -> Adaptive | None:
    """What was kept; None for a sweep whose whole grid is measured.

    Raises:
        DamagedData: when it does not verify.
    """
    path = folder.path / ADAPTIVE
    try:
        data = read_file(path, MAX_JSON_BYTES)
    except FileNotFoundError:
        return None
    return decode_adaptive(data, path)


def forget_adaptive(folder: SweepFolder) -> None:
    """From now on the whole grid is measured."""
    with writing_at(folder.path):
        (folder.path / ADAPTIVE).unlink(missing_ok=True)


def encode_adaptive(adaptive: Adaptive) -> bytes:
    """The document of an adaptive sweep."""
    return render(_KIND, adaptive)


def decode_adaptive(data: bytes, path: Path) -> Adaptive:
    """What a document says; DamagedData when it is none."""
    found: Adaptive = parse(_KIND, data, path, lambda value: from_json(Adaptive, value), remedy=_REMEDY)
    return found

"""Where a batch is kept: batches/batch-N/ with its points, who works on them, and how far that is."""

from dataclasses import dataclass
from pathlib import Path

from saih.domain.batch import Batch, BatchProgress, Holder
from saih.domain.errors import EnvironmentMissing
from saih.store.codec import decode_batch, encode_batch
from saih.store.document import render
from saih.store.fence import HOLDER_REMEDY, holder_at
from saih.store.files import MAX_JSON_BYTES, make_folder, publish_file, read_file, write_file, writing_at
from saih.store.note import numbers_below, read_note
from saih.store.sweep_folder import SweepFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFolder:
    """The folder of one batch of a sweep."""

    sweep: SweepFolder
    number: int

    @property
    def path(self) -> Path:
        """Where its files are."""
        return self.sweep.path / "batches" / f"batch-{self.number}"

    @property
    def holder_path(self) -> Path:
        """The file that names who works on the batch."""
        return self.path / "holder.json"


def batch_numbers(sweep: SweepFolder) -> tuple[int, ...]:
    """The batches of a sweep, oldest first."""
    return numbers_below(sweep.path / "batches", "batch")


def write_batch(folder: BatchFolder, batch: Batch) -> bool:
    """Keep a batch under its number, once; False when the number is taken."""
    with writing_at(folder.path):
        make_folder(folder.path)
        return publish_file(folder.path / "batch.json", encode_batch(batch))


def read_batch(folder: BatchFolder) -> Batch:
    """The points of a batch.

    Raises:
        EnvironmentMissing: when this node sees no such file.
        DamagedData: when it does not verify.
    """
    path = folder.path / "batch.json"
    try:
        return decode_batch(read_file(path, MAX_JSON_BYTES), path)
    except FileNotFoundError as error:
        raise EnvironmentMissing(
            f"there is no batch {path} on this node.", "put the results folder where every node sees it."
        ) from error


def write_holder(folder: BatchFolder, holder: Holder) -> None:
    """Take the batch over from whoever held it."""
    with writing_at(folder.path):
        write_file(folder.holder_path, render("saih holder", holder))


def read_holder(folder: BatchFolder) -> Holder | None:
    """Who works on the batch; None before anybody did, DamagedData when that does not verify."""
    return holder_at(folder.holder_path)


def write_progress(folder: BatchFolder, progress: BatchProgress) -> None:
    """Say how far the holder is."""
    with writing_at(folder.path):
        write_file(folder.path / "progress.json", render("saih progress", progress))


def read_progress(folder: BatchFolder) -> BatchProgress | None:
    """How far the holder is; None before it said, DamagedData when that does not verify."""
    return read_note("saih progress", BatchProgress, folder.path / "progress.json", remedy=HOLDER_REMEDY)

"""What a data folder holds: data sets, finished or not, and the universes behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmology.dataset_error import DatasetError
from cosmology.imported import ImportedDefinition
from cosmology.manifest import Manifest, is_sealed, read_manifest
from cosmology.stored_definition import StoredDefinition, stored_definition
from saih.commands.lines import stdout_width
from saih.commands.table import table
from saih.domain.quantity import counted, with_si

_SHARDS, _UNIVERSES = "shard-*.h5", "universe-*.h5"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedSet:
    """A data set with a manifest, and what that says."""

    folder: Path
    definition: StoredDefinition
    manifest: Manifest

    @property
    def disk_bytes(self) -> int:
        """Of its shards."""
        return sum(file.num_bytes for file in self.manifest.files)

    @property
    def raw_bytes(self) -> int:
        """Of counts and targets, not packed."""
        return self.definition.num_samples * self.definition.sample_bytes

    @property
    def codecs(self) -> tuple[str, ...]:
        """How its counts are packed."""
        return tuple(sorted({str(file.codec) for file in self.manifest.files}))


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherFolder:
    """A folder of shards without a manifest that can be read, or of universes."""

    folder: Path
    num_files: int
    disk_bytes: int
    reason: str
    """Why it is no finished data set; empty for universes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All of a data folder, by name."""

    finished: tuple[FinishedSet, ...]
    unfinished: tuple[OtherFolder, ...]
    universes: tuple[OtherFolder, ...]


def list_folder(data_folder: Path, folders: Sequence[Path]) -> Listing:
    """What these folders of data sets hold, and the universes beside them."""
    found = [_data_set(folder) for folder in folders]
    return Listing(
        finished=tuple(one for one in found if isinstance(one, FinishedSet)),
        unfinished=tuple(one for one in found if isinstance(one, OtherFolder)),
        universes=tuple(
            _other(path, _UNIVERSES, "") for path in sorted(data_folder.glob("universes-*")) if path.is_dir()
        ),
    )


def folder_json(listing: Listing) -> dict[str, Any]:
    """A listing as JSON values."""
    return {
        "data_sets": [_finished_json(one) for one in listing.finished],
        "unfinished": [_other_json(one) for one in listing.unfinished],
        "universes": [_other_json(one) for one in listing.universes],
    }


def folder_text(listing: Listing) -> str:
    """A listing as tables and lines."""
    parts = [_sets_table(listing.finished), _moments_table(listing.finished)] if listing.finished else []
    parts += [
        f"{one.folder.name}: {counted(one.num_files, 'shard')}, {with_si(one.disk_bytes, 'B')}; {one.reason}"
        for one in listing.unfinished
    ]
    parts += [
        f"{one.folder.name}: {counted(one.num_files, 'universe')}, {with_si(one.disk_bytes, 'B')}"
        for one in listing.universes
    ]
    return "\n\n".join(parts) or "There are no data sets yet; `saih generate` makes those of a sweep."


def _data_set(folder: Path) -> FinishedSet | OtherFolder:
    if not is_sealed(folder):
        return _other(folder, _SHARDS, "not finished: `saih generate` of its sweep goes on")
    try:
        definition = stored_definition(folder)
        manifest = read_manifest(folder.parent, definition)
    except DatasetError as error:
        return _other(folder, _SHARDS, str(error))
    return FinishedSet(folder=folder, definition=definition, manifest=manifest)


def _other(folder: Path, pattern: str, reason: str) -> OtherFolder:
    sizes = [path.stat().st_size for path in folder.glob(pattern)]
    return OtherFolder(folder=folder, num_files=len(sizes), disk_bytes=sum(sizes), reason=reason)


def _sets_table(finished: Sequence[FinishedSet]) -> str:
    header = ("data set", "for", "samples", "universes", "grid", "simulated as", "codec", "disk", "ratio")
    rows = [
        (
            one.definition.dataset_id,
            str(one.definition.split),
            str(one.definition.num_samples),
            str(one.definition.num_universes),
            f"{one.definition.num_channels} x {one.definition.resolution}^3",
            _origin(one.definition),
            " ".join(one.codecs),
            with_si(one.disk_bytes, "B"),
            f"{one.raw_bytes / one.disk_bytes:.2f}",
        )
        for one in finished
    ]
    return table(header, rows, width=stdout_width())


def _moments_table(finished: Sequence[FinishedSet]) -> str:
    """Mean and standard deviation of log(1 + counts) of each channel: what training standardises by."""
    header = ("data set", "redshift", "mean of log(1 + counts)", "its standard deviation")
    rows = [
        (one.definition.dataset_id, f"{redshift:g}", f"{mean:.4f}", f"{std:.4f}")
        for one in finished
        for redshift, mean, std in zip(
            one.definition.redshifts, one.manifest.channel_mean, one.manifest.channel_std, strict=True
        )
    ]
    return table(header, rows, width=stdout_width())


def _origin(definition: StoredDefinition) -> str:
    """The box of generated samples; where imported ones came from."""
    if isinstance(definition, ImportedDefinition):
        return f"imported {definition.source_format}"
    side, box = definition.simulation_side, definition.base_box_mpc_per_h
    return f"{side}^3 in {box:g} Mpc/h"


def _finished_json(one: FinishedSet) -> dict[str, Any]:
    definition = one.definition
    return {
        "dataset_id": definition.dataset_id,
        "folder": str(one.folder),
        "split": str(definition.split),
        "is_imported": isinstance(definition, ImportedDefinition),
        "num_samples": definition.num_samples,
        "num_universes": definition.num_universes,
        "sample_shape": list(definition.sample_shape),
        "redshifts": list(definition.redshifts),
        "codecs": list(one.codecs),
        "num_files": len(one.manifest.files),
        "disk_bytes": one.disk_bytes,
        "raw_bytes": one.raw_bytes,
        "channel_mean": list(one.manifest.channel_mean),
        "channel_std": list(one.manifest.channel_std),
        "definition": dict(definition.canonical),
    }


def _other_json(one: OtherFolder) -> dict[str, Any]:
    return {
        "folder": str(one.folder),
        "num_files": one.num_files,
        "disk_bytes": one.disk_bytes,
        "reason": one.reason,
    }

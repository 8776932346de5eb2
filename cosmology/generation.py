"""Making a data set: only what is missing, on any number of ranks, whatever was killed before."""

import shutil
from collections.abc import Callable
from pathlib import Path

from cosmology.definition import DatasetDefinition, DatasetError
from cosmology.manifest import dataset_folder, read_manifest, write_manifest
from cosmology.shard import read_record, shard_path, write_shard
from cosmology.universe_file import read_universe, universe_path, write_universe


def complete(
    definition: DatasetDefinition,
    folder: Path,
    rank: int,
    num_ranks: int,
    progress: Callable[[str], None],
    *,
    device: str = "cpu",
) -> None:
    """Make this rank's missing shards (universes ``rank``, ``rank + num_ranks``...); then ``seal``.

    Safe to repeat, to kill at any moment, and to run twice at once: a file appears whole or not at all,
    and all writers of a file write the same bytes.

    Raises:
        DatasetError: when the disk is too small for what is missing, or cannot be written to.
    """
    if is_complete(definition, folder):
        return
    missing = [
        universe
        for universe in range(definition.num_universes)
        if not _has_shard(definition, folder, universe)
    ]
    _check_space(definition, folder, missing)
    own = [universe for universe in missing if universe % num_ranks == rank]
    for done, universe in enumerate(own, start=1):
        _make_shard(definition, folder, universe, device=device, progress=progress)
        progress(f"universe {universe:06d} is ready ({done} of {len(own)} on rank {rank})")


def seal(definition: DatasetDefinition, folder: Path) -> None:
    """Write the manifest, which makes the data set usable; one rank calls it when all have completed.

    Raises:
        DatasetError: when a shard is missing.
    """
    if not is_complete(definition, folder):
        write_manifest(folder, definition)


def is_complete(definition: DatasetDefinition, folder: Path) -> bool:
    """Whether the manifest stands and every file has its full length."""
    try:
        read_manifest(folder, definition)
    except DatasetError:
        return False
    return True


def missing_bytes(definition: DatasetDefinition, folder: Path, missing: list[int]) -> int:
    """Upper bound of what the shards of these universes, and the universes not cached, will take on disk."""
    universes = sum(
        not universe_path(folder, definition.universes, universe).exists() for universe in missing
    )
    return len(missing) * definition.shard_disk_bytes + universes * definition.universes.universe_bytes


def _has_shard(definition: DatasetDefinition, folder: Path, universe: int) -> bool:
    try:
        read_record(shard_path(dataset_folder(folder, definition), universe))
    except DatasetError:
        return False
    return True


def _check_space(definition: DatasetDefinition, folder: Path, missing: list[int]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"{folder} cannot be made ({error}); choose another data folder.") from error
    needed, free = missing_bytes(definition, folder, missing), shutil.disk_usage(folder).free
    if needed > free:
        raise DatasetError(
            f"{len(missing)} missing shards of data set {definition.dataset_id} need up to "
            f"{needed / 1e9:.3g} GB, but {folder} has {free / 1e9:.3g} GB free; free some, choose another "
            "folder, or a smaller data set."
        )


def _make_shard(
    definition: DatasetDefinition,
    folder: Path,
    universe: int,
    *,
    device: str,
    progress: Callable[[str], None],
) -> None:
    path = universe_path(folder, definition.universes, universe)
    try:
        counts = read_universe(path, definition.universes, definition.num_channels)
    except DatasetError as error:
        if path.exists():
            progress(f"{error} (made anew)")
        write_universe(path, definition.universes, universe, device)
        counts = read_universe(path, definition.universes, definition.num_channels)
    write_shard(
        shard_path(dataset_folder(folder, definition), universe), definition, universe, counts, device
    )

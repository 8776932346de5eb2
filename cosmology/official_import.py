"""Official CosmoFlow files to a data set of verified shards, one universe at a time."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from cosmology.choices import Split
from cosmology.dataset_error import DatasetError
from cosmology.imported import ImportedDefinition
from cosmology.layout import dataset_folder, shard_path
from cosmology.manifest import read_manifest, write_manifest
from cosmology.official_source import ReadingRules, Source, SourceUniverse, read_source
from cosmology.parameters import parameters_of
from cosmology.shard import LabelledSample, write_samples
from cosmology.shard_record import read_record
from cosmology.share import EVERYTHING, Share

_EXPECTED_RATIO = 4
"""Counts of CosmoFlow shrink to a fifth; some room is left. Denser ones shrink less, as their source does."""
_UNKNOWN_SEED = 0


def definition_of(source: Source, split: Split) -> ImportedDefinition:
    """The data set that the files of a source make."""
    counts = Counter(universe.num_samples for universe in source.universes)
    return ImportedDefinition(
        source_format=source.format,
        source_sha256=source.sha256,
        resolution=source.resolution,
        redshifts=source.redshifts,
        runs=tuple((counts[samples], samples) for samples in sorted(counts, reverse=True)),
        split=split,
    )


def import_source(
    source: Source,
    definition: ImportedDefinition,
    folder: Path,
    rules: ReadingRules,
    progress: Callable[[int, int], None],
    share: Share = EVERYTHING,
) -> bool:
    """Write the shards of a share that are missing; gives whether the data set is finished then.

    Whoever writes the last shard writes the manifest. Safe to kill and repeat: a shard is there whole or not
    at all. ``progress`` is told how many of the share's universes are done, of how many.

    Raises:
        DatasetError: when a file is damaged or does not fit the others, or the disk is too small.
    """
    if _is_complete(definition, folder):
        return True
    place = dataset_folder(folder, definition)
    lacking = [
        (shard_path(place, number), number, universe)
        for number, universe in zip(definition.universe_numbers, source.universes, strict=True)
        # The first part looks for all: what is missing must fit the disk together.
        if (share.rank == 0 or share.takes(number)) and not _is_written(shard_path(place, number))
    ]
    _check_space(source, definition, folder, sum(universe.num_samples for *_, universe in lacking))
    missing = [(path, number, universe) for path, number, universe in lacking if share.takes(number)]
    num_own = sum(map(share.takes, definition.universe_numbers))
    for num_done, (path, number, universe) in enumerate(missing, start=num_own - len(missing) + 1):
        write_samples(
            path,
            definition,
            number,
            _labelled(source, universe, number, rules),
            json.dumps({"format": source.format, "universe": universe.name}, sort_keys=True),
        )
        progress(num_done, num_own)
    if not all(_is_written(shard_path(place, number)) for number in definition.universe_numbers):
        return False
    write_manifest(folder, definition)
    return True


def _labelled(
    source: Source, universe: SourceUniverse, number: int, rules: ReadingRules
) -> Iterator[LabelledSample]:
    for sample in read_source(source, universe, rules):
        om, s8, ns, h0 = map(float, sample.targets)
        targets = (om, s8, ns, h0)
        yield LabelledSample(
            counts=sample.counts,
            targets=targets,
            physical=parameters_of(targets).physical,
            seed=_UNKNOWN_SEED,
            universe=number,
        )


def _is_complete(definition: ImportedDefinition, folder: Path) -> bool:
    try:
        read_manifest(folder, definition)
    except DatasetError:
        return False
    return True


def _is_written(path: Path) -> bool:
    try:
        read_record(path)
    except DatasetError:
        return False
    return True


def _packed_bytes(source: Source, definition: ImportedDefinition, num_samples: int) -> int:
    """About what so many samples take on disk."""
    raw_bytes = definition.num_samples * definition.sample_bytes
    packed_bytes = raw_bytes // _EXPECTED_RATIO
    if source.num_bytes < raw_bytes:  # it is compressed itself
        packed_bytes = max(packed_bytes, source.num_bytes)
    return packed_bytes * num_samples // definition.num_samples


def _check_space(source: Source, definition: ImportedDefinition, folder: Path, num_samples: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"{folder} cannot be made ({error}); choose another data folder.") from error
    needed = _packed_bytes(source, definition, num_samples)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DatasetError(
            f"{num_samples} samples need about {needed / 1e9:.3g} GB, but {folder} has {free / 1e9:.3g} GB "
            "free; free some, or choose another data folder."
        )

"""Official CosmoFlow files below a folder, as universes with their samples."""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cosmology.dataset_error import DatasetError
from cosmology.imported import SourceFormat
from cosmology.official_hdf5 import describe_official_universe, read_official_crops
from cosmology.official_tfrecord import OFFICIAL_CHANNELS, OfficialSample, read_official_sample
from cosmology.ordered_work import done_ahead
from cosmology.redshifts import REDSHIFTS
from cosmology.tfrecord import MAX_RECORD_BYTES

_ENDINGS = {
    ".tfrecord": SourceFormat.TFRECORD,
    ".tfrecord.gz": SourceFormat.TFRECORD,
    ".hdf5": SourceFormat.HDF5,
    ".h5": SourceFormat.HDF5,
}
_SAMPLE_NUMBER = re.compile(r"_\d+$")
_EDGE_BYTES = 4096
"""Of the beginning and of the end, where the checksums of TFRecord and gzip are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingRules:
    """What the files do not say, and how much of them is believed."""

    num_channels: int = OFFICIAL_CHANNELS
    """Of TFRecord samples; HDF5 files say it themselves."""
    resolution: int = 128
    """Of the crops of an HDF5 universe; TFRecord samples are what they are."""
    redshifts: tuple[float, ...] = ()
    """Of the channels; empty takes what the files say, or the reference's."""
    max_sample_bytes: int = MAX_RECORD_BYTES
    num_threads: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceUniverse:
    """Samples that share a label."""

    name: str
    files: tuple[Path, ...]
    num_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """All universes of a folder: most samples first, then by name."""

    format: SourceFormat
    universes: tuple[SourceUniverse, ...]
    sha256: str
    """Of names, sizes and edges of the files."""
    num_bytes: int
    resolution: int
    redshifts: tuple[float, ...]


def find_source(folder: Path, rules: ReadingRules) -> Source:
    """The universes below a folder; of samples it reads the first only.

    Raises:
        DatasetError: when there are no such files, files of both formats, or the first is not readable.
    """
    named = {
        path: ending for path in sorted(folder.rglob("*")) if (ending := _ending(path)) and path.is_file()
    }
    formats = {_ENDINGS[ending] for ending in named.values()}
    if len(formats) != 1:
        found = "files of both formats" if formats else "no such files"
        raise DatasetError(
            f"{folder} has {found}; give a folder of CosmoFlow files of one format ({', '.join(_ENDINGS)})."
        )
    form = formats.pop()
    if form is SourceFormat.TFRECORD:
        universes, resolution, redshifts = _tfrecord_universes(folder, named, rules)
    else:
        universes, resolution, redshifts = _hdf5_universes(folder, list(named), rules)
    ordered = tuple(sorted(universes, key=lambda universe: (-universe.num_samples, universe.name)))
    return Source(
        format=form,
        universes=ordered,
        sha256=_digest(folder, ordered),
        num_bytes=sum(path.stat().st_size for path in named),
        resolution=resolution,
        redshifts=redshifts,
    )


def read_source(source: Source, universe: SourceUniverse, rules: ReadingRules) -> Iterator[OfficialSample]:
    """The samples of a universe, in the order of their files; all have its label.

    Raises:
        DatasetError: for damage, or a sample of another size or another label.
    """
    if source.format is SourceFormat.HDF5:
        samples = read_official_crops(universe.files[0], source.resolution)
    else:
        samples = done_ahead(lambda path: _sample_of(path, rules), universe.files, rules.num_threads)
    shape = (len(source.redshifts), *(source.resolution,) * 3)
    first: OfficialSample | None = None
    for number, sample in enumerate(samples):
        path = universe.files[min(number, len(universe.files) - 1)]
        if sample.counts.shape != shape:
            raise DatasetError(
                f"{path} is of the shape {sample.counts.shape}, not {shape} as the first file; "
                "import files of one shape."
            )
        first = first or sample
        if (sample.targets != first.targets).any():
            raise DatasetError(
                f"{path} and {universe.files[0]} have names of one universe but other targets; rename one."
            )
        yield sample


def _ending(path: Path) -> str | None:
    return next((ending for ending in _ENDINGS if path.name.endswith(ending)), None)


def _tfrecord_universes(
    folder: Path, named: dict[Path, str], rules: ReadingRules
) -> tuple[list[SourceUniverse], int, tuple[float, ...]]:
    """Files whose names differ in the number at their end only are samples of one universe."""
    groups: dict[str, list[Path]] = {}
    for path, ending in named.items():
        name = str(path.relative_to(folder)).removesuffix(ending)
        groups.setdefault(_SAMPLE_NUMBER.sub("", name), []).append(path)
    universes = [
        SourceUniverse(name=name, files=tuple(files), num_samples=len(files))
        for name, files in groups.items()
    ]
    first = _sample_of(next(iter(named)), rules)
    num_channels, resolution = first.counts.shape[:2]
    return universes, resolution, _redshifts(rules.redshifts, num_channels)


def _hdf5_universes(
    folder: Path, paths: Sequence[Path], rules: ReadingRules
) -> tuple[list[SourceUniverse], int, tuple[float, ...]]:
    first = describe_official_universe(paths[0])
    resolution = min(rules.resolution, first.side)
    universes = [
        SourceUniverse(
            name=str(path.relative_to(folder)),
            files=(path,),
            num_samples=(first.side // resolution) ** 3,
        )
        for path in paths
    ]
    return universes, resolution, _redshifts(rules.redshifts or first.redshifts, first.num_channels)


def _redshifts(given: tuple[float, ...], num_channels: int) -> tuple[float, ...]:
    redshifts = given or REDSHIFTS
    if len(redshifts) != num_channels:
        raise DatasetError(
            f"the samples have {num_channels} channels, but {len(redshifts)} redshifts are known "
            f"({', '.join(f'{redshift:g}' for redshift in redshifts)}); say which they are."
        )
    return redshifts


def _sample_of(path: Path, rules: ReadingRules) -> OfficialSample:
    return read_official_sample(
        path, num_channels=rules.num_channels, max_sample_bytes=rules.max_sample_bytes
    )


def _digest(folder: Path, universes: Sequence[SourceUniverse]) -> str:
    total = hashlib.sha256()
    for universe in universes:
        for path in universe.files:
            with path.open("rb") as file:
                size = path.stat().st_size
                begin = file.read(_EDGE_BYTES)
                file.seek(max(size - _EDGE_BYTES, 0))
                end = file.read(_EDGE_BYTES)
            for part in (os.fsencode(path.relative_to(folder)), str(size).encode(), begin, end):
                total.update(hashlib.sha256(part).digest())
    return total.hexdigest()

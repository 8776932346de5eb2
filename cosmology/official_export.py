"""A data set as the official TFRecord files: one sample a file, ``train`` and ``validation`` by universe."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cosmology.choices import Split
from cosmology.dataset import open_dataset
from cosmology.dataset_error import DatasetError
from cosmology.durable_file import canonical_json, read_checked_json, remove_strays, write_checked_json
from cosmology.official_tfrecord import (
    OFFICIAL_GZIP_LEVEL,
    OfficialSample,
    read_official_sample,
    write_official_samples,
)
from cosmology.ordered_work import done_ahead
from cosmology.share import EVERYTHING, Share
from cosmology.stored_definition import StoredDefinition
from cosmology.tfrecord_example import MAX_MESSAGE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRules:
    """How the files are written."""

    gzip_level: int | None = OFFICIAL_GZIP_LEVEL
    """1 to 9; None writes them plain."""
    num_validation: int = 0
    """So many universes of a training set, its last ones, are exported for validation."""
    num_threads: int = 1
    share: Share = EVERYTHING
    """Which universes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written."""

    num_train: int
    """Samples for training, each a file."""
    num_validation: int


def export_official(
    definition: StoredDefinition,
    folder: Path,
    output: Path,
    rules: ExportRules,
    progress: Callable[[int, int], None],
) -> Exported:
    """Write every sample of a share as a file of its own below ``output``; what is there already is kept.

    ``progress`` is told how many samples are done, of how many.

    Raises:
        DatasetError: when the data set does not verify, the split leaves nothing to train on, a file there
            already is of something else, or what is there was split or compressed otherwise.
    """
    check_split(definition, rules)
    exported = Counter[Split]()
    with open_dataset(definition, folder) as dataset:
        _stand_by(definition, output, rules)
        order = [
            index
            for index in sorted(range(definition.num_samples), key=definition.place_of)
            if rules.share.takes(definition.place_of(index)[0])
        ]

        def sample_of(index: int) -> tuple[int, OfficialSample]:
            counts, targets = dataset.read([index])
            return index, OfficialSample(counts=counts[0], targets=targets[0])

        def write(item: tuple[int, OfficialSample]) -> Split:
            universe, row = definition.place_of(item[0])
            split = _split_of(definition, universe, rules)
            path = output / split / f"universe-{universe:06d}_{row:03d}.tfrecord"
            _refuse_both_splits(path, split)
            _write_or_keep(path, item[1], definition, rules)
            return split

        samples = map(sample_of, order)  # read by this thread, compressed by the others
        for done, split in enumerate(done_ahead(write, samples, rules.num_threads), start=1):
            exported[split] += 1
            progress(done, len(order))
    for split in exported:
        remove_strays(output / split)
    _stand_by(definition, output, rules)  # another part may have begun at the same moment, by other rules
    return Exported(num_train=exported[Split.TRAIN], num_validation=exported[Split.VALIDATION])


def check_split(definition: StoredDefinition, rules: ExportRules) -> None:
    """Refuse what cannot be held out for validation.

    Raises:
        DatasetError: when nothing to train on would be left, or the data set is for validation as a whole.
    """
    if rules.num_validation and definition.split is not Split.TRAIN:
        raise DatasetError("the data set is for validation as a whole; hold out none of its universes.")
    if rules.num_validation >= definition.num_universes:
        raise DatasetError(
            f"{rules.num_validation} of {definition.num_universes} universes for validation leave none to "
            "train on; give fewer."
        )


def _split_of(definition: StoredDefinition, universe: int, rules: ExportRules) -> Split:
    numbers = definition.universe_numbers
    is_held_out = universe >= numbers[-1] + 1 - rules.num_validation
    return Split.VALIDATION if is_held_out else definition.split


def _refuse_both_splits(path: Path, split: Split) -> None:
    """Of a universe that is in both, networks would be judged by what they learnt from."""
    for other in Split:
        there = path.parent.parent / other / path.name
        if other is not split and there.exists():
            raise DatasetError(
                f"{there} exists, but {split} is where the universe belongs by what is asked for now; ask "
                "for what was exported there, or choose another folder."
            )


def _write_or_keep(
    path: Path, sample: OfficialSample, definition: StoredDefinition, rules: ExportRules
) -> None:
    if not path.exists():
        write_official_samples(path, [sample], gzip_level=rules.gzip_level)
        return
    found = read_official_sample(
        path, num_channels=definition.num_channels, max_sample_bytes=MAX_MESSAGE_BYTES
    )
    is_same = found.counts.shape == sample.counts.shape and (found.targets == sample.targets).all()
    if not is_same or (found.counts != sample.counts).any():
        raise DatasetError(f"{path} exists and holds another sample; choose another folder.")


def _stand_by(definition: StoredDefinition, output: Path, rules: ExportRules) -> None:
    """What the files come from, beside their folders, where no reader of samples looks.

    It is there before the samples, so that whoever goes on, or does another part, splits them alike.
    """
    path = output / f"saih-{definition.dataset_id}.json"
    asked = _provenance(definition, rules)
    if not path.exists():
        write_checked_json(path, asked)
        return
    there = read_checked_json(path)
    if canonical_json(there) != canonical_json(asked):
        raise DatasetError(
            f"{path} tells of {_words(there)}, but asked for are {_words(asked)}; ask for what is there, or "
            "choose another folder."
        )


def _provenance(definition: StoredDefinition, rules: ExportRules) -> dict[str, object]:
    counts = Counter[Split]()
    for universe in definition.universe_numbers:
        counts[_split_of(definition, universe, rules)] += definition.samples_of(universe)
    return {
        "dataset_id": definition.dataset_id,
        "definition": definition.canonical,
        "layout": "x: int16 [x, y, z, channel]; y: Omega_m, sigma_8, n_s, H_0 in [-1, 1]",
        "compression": "none" if rules.gzip_level is None else f"gzip-{rules.gzip_level}",
        "num_train": counts[Split.TRAIN],
        "num_validation": counts[Split.VALIDATION],
    }


def _words(provenance: Mapping[str, object]) -> str:
    return (
        f"{provenance.get('num_train')} samples for training and {provenance.get('num_validation')} for "
        f"validation (compression: {provenance.get('compression')})"
    )

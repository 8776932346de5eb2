"""Single bits flipped anywhere in a data folder: are all found, and does any reach training silently?"""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from cosmology.dataset import open_dataset
from cosmology.dataset_error import DatasetError
from cosmology.definition import DatasetDefinition
from cosmology.generation import complete, seal
from cosmology.layout import dataset_folder
from cosmology.universe_file import universe_path
from cosmology.verification import Thoroughness, verify, verify_universes

_DEFINITION = DatasetDefinition(
    seed=7,
    num_samples=12,
    num_universes=4,
    resolution=16,
    simulation_side=32,
    num_steps=4,
    force_mesh_factor=1,
)
_KINDS = {".h5": "shards", ".json": "records", ".jsonl": "manifests"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flips:
    """What became of so many flips, each alone in an otherwise whole data set."""

    num_by_kind: Mapping[str, int]
    num_found: int
    num_found_by_bytes: int
    num_refused: int
    """Readings that raised a DatasetError."""
    num_identical: int
    """Readings that gave the counts and targets of the whole data set."""

    @property
    def num_flips(self) -> int:
        """All of them."""
        return sum(self.num_by_kind.values())

    @property
    def num_silent(self) -> int:
        """Readings that gave anything else."""
        return self.num_flips - self.num_refused - self.num_identical


def flip_everywhere(folder: Path, num_flips: int) -> Flips:
    """Flip bits of every file of a data folder in turn, at places drawn evenly from its bytes."""
    complete(_DEFINITION, folder, 0, 1, lambda _: None)
    seal(_DEFINITION, folder)
    whole = _read(folder)
    universes = universe_path(folder, _DEFINITION.universes, 0).parent
    paths = [*sorted(dataset_folder(folder, _DEFINITION).iterdir()), *sorted(universes.iterdir())]
    chance = random.Random(300)  # noqa: S311  repeatable, not secret
    happened: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for flip in range(num_flips):
        path = paths[flip % len(paths)]
        before = path.read_bytes()
        after = bytearray(before)
        after[chance.randrange(len(before))] ^= 1 << chance.randrange(8)
        path.write_bytes(after)
        kinds["universes" if path.parent == universes else _KINDS[path.suffix]] += 1
        for thoroughness in Thoroughness:
            happened[thoroughness] += _finds(folder, path, thoroughness)
        found = _read(folder)
        happened["refused"] += found is None
        happened["identical"] += found == whole
        path.write_bytes(before)
    return Flips(
        num_by_kind=kinds,
        num_found=happened[Thoroughness.SAMPLES],
        num_found_by_bytes=happened[Thoroughness.BYTES],
        num_refused=happened["refused"],
        num_identical=happened["identical"],
    )


def _finds(folder: Path, path: Path, thoroughness: Thoroughness) -> bool:
    universes = universe_path(folder, _DEFINITION.universes, 0).parent
    checks = chain(verify(dataset_folder(folder, _DEFINITION), thoroughness), verify_universes(universes))
    return path in {damage.path for check in checks for damage in check.damages}


def _read(folder: Path) -> tuple[bytes, ...] | None:
    """All that training would see; nothing where reading is refused."""
    try:
        with open_dataset(_DEFINITION, folder) as dataset:
            counts, targets = dataset.read(np.arange(len(dataset)))
            moments = dataset.channel_mean, dataset.channel_std
    except DatasetError:
        return None
    return tuple(array.tobytes() for array in (counts, targets, *moments))

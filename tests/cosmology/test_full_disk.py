"""A disk that takes no more is an error with its remedy wherever in a file it comes, and does no harm."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cosmology.dataset_error import DatasetError
from cosmology.definition import DatasetDefinition, UniverseDefinition
from cosmology.shard import LabelledSample, write_samples
from cosmology.universe_file import write_universe

_PAGE_BYTES = 4096
_TARGETS = (0.0, 0.0, 0.0, 0.0)
_FILLING = """
import sys
from pathlib import Path
from tests.cosmology import test_full_disk

test_full_disk.fill_and_write(sys.argv[1], Path(sys.argv[2]))
"""


def write_shard(path: Path) -> None:
    layout = DatasetDefinition(seed=1, num_samples=3, num_universes=1, resolution=32, simulation_side=64)
    counts = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 32), np.uint16)
    sample = LabelledSample(
        counts=counts, targets=_TARGETS, physical=(0.3, 0.8, 0.96, 70.0), seed=1, universe=0
    )
    write_samples(path, layout, 0, [sample] * 3, "{}")


def write_one_universe(path: Path) -> None:
    definition = UniverseDefinition(seed=3, side=64, num_steps=2, force_mesh_factor=1, redshifts=(0.0,))
    counts = np.random.default_rng(1).integers(0, 256, (64, 64, 64), np.uint16)
    write_universe(path, definition, 0, [(0, counts)], "cpu")


WRITERS = {"shard": write_shard, "universe": write_one_universe}


def leave_free(filler: Path, num_bytes: int) -> None:
    """Write a file that leaves so much of its disk."""
    filler.unlink(missing_ok=True)
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(_PAGE_BYTES))
        except OSError:
            file.truncate(file.tell() - num_bytes)


def fill_and_write(name: str, disk: Path) -> None:
    """Write a file on a disk that has room for none of it, then for more and more, at last for all."""
    path, filler = disk / "file.h5", disk / "filler"
    WRITERS[name](path)
    content = path.read_bytes()
    num_free = range(0, len(content) - _PAGE_BYTES, 7 * _PAGE_BYTES)
    for path_there in (path, path.with_suffix(".json")):
        path_there.unlink()
    for free in (*num_free, len(content) - 2 * _PAGE_BYTES, len(content) - _PAGE_BYTES):
        leave_free(filler, free)
        with pytest.raises(DatasetError, match=r"could not be written .*No space left.*; free space"):
            WRITERS[name](path)
        assert [path.name for path in disk.iterdir()] == ["filler"]
    filler.unlink()
    WRITERS[name](path)
    assert path.read_bytes() == content


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(path)], check=True)
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(WRITERS))
def test_a_full_disk_is_told_and_neither_loses_samples_nor_crashes_the_process_at_its_end(
    disk: Path, name: str
) -> None:
    child = subprocess.run(
        [sys.executable, "-c", _FILLING, name, str(disk)],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert (child.returncode, child.stderr) == (0, "")

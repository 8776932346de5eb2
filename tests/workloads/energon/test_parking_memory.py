"""The file in which a CPU parks layers."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from workloads.energon.parked_memory import FileMemory
from workloads.energon.parking_error import ParkingError

PLACE_BYTES = 10_001

HOLDER = """
import sys, time
from pathlib import Path
import torch
from workloads.energon.parked_memory import FileMemory
memory = FileMemory(Path(sys.argv[1]), 4, 1 << 20)
memory.write(0, torch.ones(1 << 20, dtype=torch.uint8))
print("parked", flush=True)
time.sleep(600)
"""


def piece(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (PLACE_BYTES,), dtype=torch.uint8, generator=generator)


def test_what_is_parked_comes_back_whole_and_in_its_place(tmp_path: Path) -> None:
    memory = FileMemory(tmp_path, 5, PLACE_BYTES)
    for place in (3, 0, 4, 1, 2):
        memory.write(place, piece(place))
    found = torch.zeros(PLACE_BYTES, dtype=torch.uint8)
    for place in (0, 4, 2, 2, 1, 3):
        memory.fetch(place, found)
        assert torch.equal(found, piece(place))
    memory.close()


def test_the_file_has_no_name_and_a_closed_one_takes_no_room(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "when missing"
    memory = FileMemory(folder, 3, PLACE_BYTES)
    assert list(folder.iterdir()) == []
    open_files = [path.resolve() for path in Path("/proc/self/fd").iterdir()]
    assert any(str(folder) in str(path) for path in open_files)
    memory.close()
    open_files = [path.resolve() for path in Path("/proc/self/fd").iterdir()]
    assert not any(str(folder) in str(path) for path in open_files)


@pytest.mark.slow
def test_a_killed_process_leaves_nothing_behind(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "parked\n"
    assert list(tmp_path.iterdir()) == []
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert list(tmp_path.iterdir()) == []


def test_room_is_made_before_anything_is_written(tmp_path: Path) -> None:
    memory = FileMemory(tmp_path, 3, PLACE_BYTES)
    assert os.fstat(memory._file.fileno()).st_size >= 3 * PLACE_BYTES
    memory.close()


def test_a_disk_without_room_is_named_with_what_is_missing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * PLACE_BYTES, hard))
    try:
        with pytest.raises(ParkingError, match=r"has no room for 3 parked layers of together 36864 bytes"):
            FileMemory(tmp_path, 3, PLACE_BYTES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_folder_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ParkingError, match="give a folder that can be written to"):
        FileMemory(tmp_path / "file", 1, PLACE_BYTES)


def test_a_file_that_was_cut_short_is_an_error_of_the_fetch(tmp_path: Path) -> None:
    memory = FileMemory(tmp_path, 2, PLACE_BYTES)
    os.ftruncate(memory._file.fileno(), PLACE_BYTES)
    with pytest.raises(ParkingError, match="something cut it short"):
        memory.fetch(1, torch.empty(PLACE_BYTES, dtype=torch.uint8))
    memory.close()

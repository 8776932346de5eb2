"""The room on a sweep's machine is kept with its results."""

from pathlib import Path

import pytest

from saih.domain.errors import DamagedData
from saih.domain.limits import Limits
from saih.store.limits_file import read_limits, write_limits
from saih.store.sweep_folder import SweepFolder


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    found = SweepFolder(tmp_path, "sweep")
    found.path.mkdir()
    return found


@pytest.mark.parametrize(
    "limits", [Limits(), Limits(memory_bytes_per_node=24 * 2**30, device_memory_bytes=1, disk_bytes=0)]
)
def test_limits_come_back_as_they_were(folder: SweepFolder, limits: Limits) -> None:
    write_limits(folder, Limits(disk_bytes=7))
    write_limits(folder, limits)
    assert read_limits(folder) == limits


def test_a_folder_without_limits_has_none(folder: SweepFolder) -> None:
    assert read_limits(folder) is None


def test_edited_limits_are_refused_without_loss(folder: SweepFolder) -> None:
    write_limits(folder, Limits(disk_bytes=7))
    path = folder.path / "limits.json"
    path.write_text(path.read_text().replace("7", "8", 1))
    with pytest.raises(DamagedData, match=r"limits\.json") as error:
        read_limits(folder)
    assert "no point is lost" in error.value.remedy

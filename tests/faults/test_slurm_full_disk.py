"""A file system that runs full under a job: nothing that was measured is lost, the rest is measured later."""

import errno
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from slurm_cluster_fixture import start_cluster, stop_cluster
from slurm_counting import FaultySweep, words_of
from slurm_sweep import ask

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallDisk:
    """A file system of 4 MB with a sweep on it."""

    sweep: FaultySweep
    other: Path
    """A file beside the sweep."""

    def fill(self) -> None:
        """Write until nothing more fits."""
        with self.other.open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(4096))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    return


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """With a cluster of its own: nodes see what was mounted before they were made."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(path)], check=True)
    cluster = start_cluster(tmp_path / "cluster", "--no-accounting")
    yield SmallDisk(sweep=FaultySweep(cluster=cluster, root=path / "sweep"), other=path / "other")
    stop_cluster(cluster)
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_disk_that_runs_full_costs_no_point_that_was_measured(
    disk: SmallDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = disk.sweep
    ask(sweep.root, [{"width": width, "duration_s": 0.8, "nodes": 1} for width in range(1, 9)])
    sweep.submit()
    sweep.wait_until_completed(2)
    disk.fill()
    sweep.wait_for_end()
    done = sweep.completed()
    assert 2 <= len(done) < 8
    process = sweep.start()
    _, said = process.communicate(timeout=240)
    assert process.returncode != 0
    assert "No space left on device" in said
    disk.other.unlink()
    sweep.finish()
    counts = sweep.require_all_measured_once()
    sweep.require_nothing_left()
    assert done.items() <= sweep.completed().items()
    with capsys.disabled():
        sys.stdout.write(f"\nthe disk full after {len(done)} points: {words_of(counts)}\n")

"""What killed writers of bundles left behind, and what must stay."""

import os
import subprocess
import sys
from pathlib import Path

from bundle_samples import bundled, write_sample

from saih.commands.import_stage import import_file
from saih.store.leftover import held

HOLD = """\
import sys
from pathlib import Path
from saih.store.leftover import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def left_behind(path: Path, *, is_folder: bool = False) -> Path:
    """A temporary of long ago."""
    if is_folder:
        path.mkdir()
        (path / "part").write_text("half")
    else:
        path.write_text("half")
    os.utime(path, (0, 0))
    return path


def test_the_next_bundle_and_import_remove_what_a_killed_one_left(tmp_path: Path) -> None:
    folder = write_sample(tmp_path)
    place = tmp_path / "here"
    place.mkdir()
    old = left_behind(place / ".tiny.saih.zip.0badcafe.tmp")
    young = place / ".tiny.saih.zip.1badcafe.tmp"
    young.write_text("half")
    foreign = left_behind(place / ".other.saih.zip.0badcafe.tmp")
    path = bundled(folder, place / "tiny.saih.zip")
    assert sorted(place.iterdir()) == sorted([foreign, young, path]), "a young one may have a writer"
    assert not old.exists()
    half = left_behind(place / ".import-0badcafe.tmp", is_folder=True)
    link = place / ".import-1badcafe.tmp"
    link.symlink_to(tmp_path)
    import_file(path, place, None, is_dry=False)
    assert not half.exists()
    assert link.is_symlink()
    assert folder.path.is_dir(), "no link was followed"


def test_what_has_a_living_writer_stays_until_it_is_killed(tmp_path: Path) -> None:
    folder = write_sample(tmp_path)
    path = tmp_path / "tiny.saih.zip"
    busy = left_behind(tmp_path / ".tiny.saih.zip.0badcafe.tmp")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(busy)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"held\n"
        bundled(folder, path)
        assert busy.exists()
        writer.kill()
    bundled(folder, path)
    assert not busy.exists()


def test_a_held_folder_can_be_held_once_more_without_waiting(tmp_path: Path) -> None:
    with held(tmp_path), held(tmp_path):
        assert tmp_path.is_dir()

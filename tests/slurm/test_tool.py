"""tools/slurm_cluster takes only what is its own, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from slurm_cluster_fixture import TOOL, wait_until

pytestmark = pytest.mark.slow

SMALL = ("--nodes", "2", "--no-accounting")


def tool(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, TOOL, *words]
    environment = {**os.environ, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def programs_of(folder: Path) -> list[str]:
    """Daemons and hosts whose command line or environment names the short name of this folder."""
    links = Path(tempfile.gettempdir()).glob("saih-slurm-*/cluster")
    short = {link.parent.name for link in links if link.resolve() == folder}
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            text = (path / "cmdline").read_bytes() + (path / "environ").read_bytes()
        except OSError:
            continue
        if any(name.encode() in text for name in short):
            found.append(path.name)
    return found


@pytest.mark.parametrize("mode", ["namespaces", "plain"])
def test_a_cluster_in_a_folder_of_any_name_runs_and_leaves_nothing(tmp_path: Path, mode: str) -> None:
    folder = tmp_path / "a 'cluster' of $mine (ü)"
    polluted = {"SBATCH_PARTITION": "nowhere", "SLURM_CONF": "/nowhere", "SLURMD_NODENAME": "n9"}
    done = tool("--folder", folder, "run", *SMALL, "--mode", mode, "--", "srun", "-N2", "sh", "-c",
                "echo $SLURMD_NODENAME; pwd", **polluted)  # fmt: skip
    assert done.returncode == 0, done.stderr
    here = str(Path.cwd())
    assert sorted(done.stdout.split("\n")) == sorted(["", here, here, "n1", "n2"])
    assert not folder.exists()
    links = Path(tempfile.gettempdir()).glob("saih-slurm-*/cluster")
    assert folder not in {link.resolve() for link in links}


def test_the_status_of_the_command_inside_is_given_back() -> None:
    assert tool("run", *SMALL, "--", "sh", "-c", "exit 7").returncode == 7


def test_two_clusters_do_not_meet(tmp_path: Path) -> None:
    folders = (tmp_path / "one", tmp_path / "two")
    try:
        for folder in folders:
            assert tool("--folder", folder, "start", *SMALL).returncode == 0
        assert tool("--folder", folders[0], "stop").returncode == 0
        assert tool("--folder", folders[1], "status").returncode == 0
    finally:
        tool("--folder", folders[1], "stop")


def test_a_running_cluster_is_not_started_twice(tmp_path: Path) -> None:
    folder = tmp_path / "cluster"
    try:
        assert tool("--folder", folder, "start", *SMALL).returncode == 0
        second = tool("--folder", folder, "start", *SMALL)
        assert second.returncode == 1
        assert "is running" in second.stderr
        assert tool("--folder", folder, "status").returncode == 0
    finally:
        tool("--folder", folder, "stop")


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    for verb in ("start", "stop"):
        refused = tool("--folder", tmp_path, verb)
        assert refused.returncode != 0
        assert refused.stderr.startswith("slurm_cluster: ")
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("after_s", [0.1, 0.3, 0.6, 1.2])
def test_what_a_killed_start_left_is_cleaned_up_by_stop(tmp_path: Path, after_s: float) -> None:
    folder = tmp_path / "cluster"
    starting = subprocess.Popen(
        [sys.executable, TOOL, "--folder", folder, "start", "--nodes", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(after_s)
    starting.send_signal(signal.SIGKILL)
    starting.wait()
    if (folder / "cluster.json").exists():
        assert tool("--folder", folder, "stop").returncode == 0
    wait_until(lambda: not programs_of(folder), 5, lambda: str(programs_of(folder)))
    assert not (folder / "processes").exists()


def test_without_slurm_it_is_said_what_to_install(tmp_path: Path) -> None:
    # The daemons are looked for beside the user's PATH too: hide those folders.
    hide = 'mount -t tmpfs none /usr/sbin && exec "$@"'
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c", hide, "sh"]
    command = [*words, sys.executable, str(TOOL), "--folder", str(tmp_path / "c"), "start"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "slurmctld" in done.stderr
    assert "install munge, slurm-wlm" in done.stderr.replace("mariadb-server, ", "")
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["start", "--nodes", "0"], "nodes is 0"),
        (["start", "--gpus", "6"], "gpus is 6"),
        (["status"], "there is no cluster"),
        (["kill-node", "n1"], "there is no cluster"),
        (["run"], "there is no command"),
    ],
)
def test_what_is_asked_wrongly_is_named(tmp_path: Path, words: list[str], said: str) -> None:
    done = tool("--folder", tmp_path / "c", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "->" in done.stderr

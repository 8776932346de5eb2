"""Whole sweeps through a real Slurm: submitted, left alone, followed, cancelled, continued, reported."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pypdf
import pytest
from bundle_samples import ceilings
from slurm_cluster_fixture import SlurmCluster, wait_until

from saih.machine.environment import capture
from saih.store.ceilings_file import write_ceilings

pytestmark = pytest.mark.slow

SAIH = (sys.executable, "-c", "from saih.cli import main; main()")
TINY = """\
name: tiny
workload: cosmoflow
base:
  data: {samples: 16, resolution: 16, channels: 1, universes: 4}
  model: {depth: 1, width: 4}
axes:
  data: {samples: [16, 32]}
  model: {width: [4, 8]}
  ranks: {ranks: [1, 2, 4], scaling: weak}
placement: {nodes: 2, ranks_per_node: 2}
timing: {warmup_steps: 1, min_steps: 3, max_steps: 20, budget_s: 1}
"""
SITE = """\
name: one-machine
scheduler: slurm
partition: main
max_time_h: 0.5
notice_s: 20
is_exclusive: false
"""
PATIENCE_S = 900.0
ONE_NODE = ("1 node x 1 rank x 1 thread (cpu)", "1 node x 2 ranks x 1 thread (cpu)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by the tests of this module: what one measured of the machine serves the next."""
    path = tmp_path_factory.mktemp("sweeps")
    # The axis of the data is left to the whole sweeps.
    (path / "tiny.yaml").write_text(TINY.replace("  data: {samples: [16, 32]}\n", ""))
    (path / "site.yaml").write_text(SITE)
    for label in ONE_NODE:  # those of two nodes are left to be measured, which takes 40 s for each
        write_ceilings(path / "results", ceilings(capture(), label))
    return path


def begin(cluster: SlurmCluster, folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """A command in a session of its own, as in a terminal of its own."""
    environment = {**cluster.environment, "SAIH_SITE": str(folder / "site.yaml")}
    return subprocess.Popen(
        [*SAIH, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def saih(cluster: SlurmCluster, folder: Path, *arguments: str) -> tuple[int, str, str]:
    """A command run to its end: exit code, stdout, stderr."""
    with begin(cluster, folder, *arguments) as process:
        out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


def finished(folder: Path, name: str) -> dict[str, int]:
    """Every finished attempt with the time of its last write."""
    return {
        str(path): path.stat().st_mtime_ns for path in folder.glob(f"results/{name}/*/attempt-*/outcome*")
    }


def logs(folder: Path, name: str) -> str:
    """What all jobs of a sweep wrote."""
    return "\n".join(path.read_text() for path in folder.glob(f"results/{name}/submissions/*/log-*.txt"))


@pytest.mark.parametrize("exchange", ["ddp", "horovod"])
def test_a_sweep_over_data_model_and_ranks_runs_without_its_terminal_and_ends_with_its_report(
    cluster: SlurmCluster, folder: Path, exchange: str
) -> None:
    (folder / f"{exchange}.yaml").write_text(f"{TINY}run: {{exchange: {exchange}}}\n")
    name = f"{exchange}-{len(list(folder.glob(f'results/{exchange}-*')))}"  # a second try begins anew
    sweep = (f"{exchange}.yaml", "--name", name)
    code, out, err = saih(cluster, folder, "sweep", *sweep)
    assert code == 0, err
    assert out.split() == [line.split()[0] for line in cluster.call("squeue", "-ho", "%i").splitlines()]
    assert f"saih status {name}" in err

    with begin(cluster, folder, "sweep", *sweep, "--wait") as watcher:
        assert watcher.stderr is not None
        said = next(line for line in watcher.stderr if line.startswith("[1/12] "))
        os.killpg(watcher.pid, signal.SIGHUP)  # the terminal is closed
        watcher.communicate(timeout=60)
    assert "completed" in said
    assert watcher.returncode == 128 + signal.SIGHUP

    code, out, err = saih(cluster, folder, "sweep", *sweep, "--wait")
    assert code == 0, err + logs(folder, name)
    assert out.splitlines()[-1] == f"reports/{name}.pdf"
    assert len(finished(folder, name)) == 12
    assert not any(f"ceilings of {label} measured" in logs(folder, name) for label in ONE_NODE)
    assert len(pypdf.PdfReader(folder / f"reports/{name}.pdf").pages) >= 1

    status = json.loads(saih(cluster, folder, "status", name, "--json")[1])
    assert status["counts"] == {"completed": 12}
    assert {one["standing"] for one in status["standings"].values()} == {"done"}

    before = finished(folder, name)
    # More than one where the machine stalls.
    submissions = sorted(folder.glob(f"results/{name}/submissions/*"))
    assert saih(cluster, folder, "sweep", name, "--no-report")[0] == 0
    assert finished(folder, name) == before
    assert sorted(folder.glob(f"results/{name}/submissions/*")) == submissions


def test_a_cancelled_sweep_keeps_what_is_finished_and_the_same_command_measures_the_rest(
    cluster: SlurmCluster, folder: Path
) -> None:
    assert saih(cluster, folder, "sweep", "tiny.yaml", "--name", "cut")[0] == 0
    wait_until(lambda: finished(folder, "cut"), PATIENCE_S, lambda: logs(folder, "cut"))
    code, out, err = saih(cluster, folder, "cancel", "cut")
    assert code == 0, err
    assert out.startswith("cancelled job ")
    wait_until(lambda: not cluster.call("squeue", "-h"), 60, lambda: cluster.call("squeue"))
    before = finished(folder, "cut")
    assert saih(cluster, folder, "sweep", "tiny.yaml", "--name", "cut", "--scheduler", "local")[0] == 2

    code, _, err = saih(cluster, folder, "sweep", "tiny.yaml", "--name", "cut", "--wait", "--no-report")
    assert code == 0, err + logs(folder, "cut")
    after = finished(folder, "cut")
    assert len(after) == 6
    assert before.items() <= after.items()


def test_a_partition_that_is_not_there_is_refused_before_anything_is_submitted(
    cluster: SlurmCluster, folder: Path
) -> None:
    (folder / "wrong.yaml").write_text(SITE.replace("main", "gpu"))
    arguments = ("sweep", "tiny.yaml", "--name", "refused", "--site", "wrong.yaml")
    code, _, err = saih(cluster, folder, *arguments)
    assert code == 2
    assert "there is no partition 'gpu': valid are high, main" in err
    assert not (folder / "results/refused").exists()

"""The real worker under Slurm, from the command to the PDF, hurt on the way."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pypdf
import pytest
from bundle_samples import ceilings
from slurm_cluster_fixture import SlurmCluster, wait_until

from saih.domain.record import Outcome
from saih.machine.environment import capture
from saih.store.attempt import read_outcome
from saih.store.ceilings_file import write_ceilings
from saih.store.sweep_folder import SweepFolder, all_attempts, read_records

pytestmark = pytest.mark.slow

SAIH = (sys.executable, "-c", "from saih.cli import main; main()")
SWEEP = """\
name: hurt
workload: cosmoflow
base:
  data: {samples: 8, resolution: 16, channels: 1, universes: 2}
  model: {depth: 1, width: 4}
axes:
  model: {width: [2, 4]}
  ranks: {ranks: [1, 2], scaling: weak}
placement: {nodes: 2, ranks_per_node: 1}
timing: {warmup_steps: 1, min_steps: 3, max_steps: 5, budget_s: 0.5}
"""
SITE = """\
name: one-machine
scheduler: slurm
partition: main
is_exclusive: false
"""


def saih(cluster: SlurmCluster, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*SAIH, *words],
        cwd=folder,
        env=dict(cluster.environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        start_new_session=True,
    )


def completed(folder: SweepFolder) -> Counter[str]:
    counts: Counter[str] = Counter()
    for attempt in all_attempts(folder):
        try:
            counts[attempt.point_id] += read_outcome(attempt).outcome is Outcome.COMPLETED
        except FileNotFoundError:
            continue
    return +counts


def logs(root: Path) -> str:
    paths = sorted(root.glob("results/hurt/submissions/*/log-*.txt"))
    return "\n".join(path.read_text() for path in paths)


def wait_for_end(cluster: SlurmCluster, root: Path) -> None:
    wait_until(lambda: not cluster.call("squeue", "-h"), 200, lambda: logs(root))


def preempt_and_kill(cluster: SlurmCluster, root: Path, folder: SweepFolder) -> None:
    """Preempts the first start after a point, and kills the driver of the second."""
    wait_until(lambda: completed(folder), 150, lambda: logs(root))
    cluster.call("srun", "--partition=high", "--nodes=4", "--exclusive", "--time=1", "true")
    wait_until(lambda: "restart 1" in logs(root), 60, lambda: logs(root))
    for pid in cluster.processes("saih.launch.allocation", str(root)):
        cluster.kill_process(pid)
    wait_for_end(cluster, root)


def test_a_sweep_that_is_preempted_and_killed_ends_with_every_point_once(
    cluster: SlurmCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hurt.yaml").write_text(SWEEP)
    (tmp_path / "site.yaml").write_text(SITE)
    command = ("sweep", "hurt.yaml", "--site", "site.yaml")
    folder = SweepFolder(tmp_path / "results", "hurt")
    # Those of two nodes are left to be measured, so that there is something to preempt.
    write_ceilings(folder.root, ceilings(capture(), "1 node x 1 rank x 1 thread (cpu)"))
    assert saih(cluster, tmp_path, *command).returncode == 0
    preempt_and_kill(cluster, tmp_path, folder)
    kept = completed(folder)
    assert len(kept) < 4
    assert saih(cluster, tmp_path, *command).returncode == 0
    wait_for_end(cluster, tmp_path)
    records, damages = read_records(folder)
    outcomes = [record.result.outcome for record in records]
    assert (outcomes, damages) == ([Outcome.COMPLETED] * 4, ()), logs(tmp_path)
    assert set(completed(folder).values()) == {1}
    assert kept.items() <= completed(folder).items()
    status = json.loads(saih(cluster, tmp_path, "status", "hurt", "--json").stdout)
    assert status["counts"] == {"completed": 4}
    assert len(pypdf.PdfReader(tmp_path / "reports" / "hurt.pdf").pages) >= 1
    with capsys.disabled():
        num_begun = len(list(all_attempts(folder)))
        sys.stdout.write(f"\nreal worker: 4 points once, {num_begun} attempts, 0 lost, 0 twice\n")

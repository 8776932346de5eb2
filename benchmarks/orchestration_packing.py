"""How many calls of ``sbatch`` a sweep of many small points makes, counted on a real Slurm of this machine.

The sweep is submitted, measured to its end and collected by ``saih sweep --wait``; a program named
``sbatch``, first on the path, notes each call and hands it on to Slurm's.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from saih.domain.errors import EnvironmentMissing

_TOOL = Path(__file__).parents[1] / "tools" / "slurm_cluster"
_SWEEP = """name: packed
workload: cosmoflow
base:
  data: {{samples: 16, resolution: 16, channels: 1, universes: 4}}
  model: {{depth: 1, width: 1}}
axes:
  model: {{width: {widths}}}
placement: {{nodes: 1, ranks_per_node: 1}}
timing: {{warmup_steps: 1, min_steps: 3, max_steps: 6, budget_s: 0.2}}
"""
_SITE = """name: one-machine
scheduler: slurm
partition: main
is_exclusive: false
"""
_COUNTING = """#!/bin/sh
echo "$@" >> "{calls}"
exec "{sbatch}" "$@"
"""
_LIMIT_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A sweep that went through Slurm."""

    num_completed: int
    num_calls: int
    spent_s: float


def measure_packing(num_points: int, folder: Path) -> Packed:
    """Submit and measure a sweep of so many points, one node and one rank each, in an empty folder.

    Raises:
        EnvironmentMissing: without Slurm's programs.
    """
    sbatch = shutil.which("sbatch")
    if sbatch is None:
        raise EnvironmentMissing("there is no sbatch on this machine", "run `tools/slurm_cluster install`.")
    calls, programs = folder / "calls", folder / "bin"
    programs.mkdir()
    (programs / "sbatch").write_text(_COUNTING.format(calls=calls, sbatch=sbatch))
    (programs / "sbatch").chmod(0o755)
    (folder / "packed.yaml").write_text(_SWEEP.format(widths=list(range(1, num_points + 1))))
    (folder / "site.yaml").write_text(_SITE)
    begun_s = time.monotonic()
    _saih(folder, "sweep", "packed.yaml", "--site", "site.yaml", "--wait", "--no-report")
    spent_s = time.monotonic() - begun_s
    states = json.loads(_saih(folder, "status", "packed", "--json", is_plain=True))
    return Packed(
        num_completed=states["counts"].get("completed", 0),
        num_calls=len(calls.read_text().splitlines()),
        spent_s=spent_s,
    )


def _saih(folder: Path, *arguments: str, is_plain: bool = False) -> str:
    """What a command printed, run inside a cluster of its own unless ``is_plain``."""
    program = [str(Path(sys.executable).with_name("saih")), *arguments]
    cluster = [str(_TOOL), "--folder", str(folder / "cluster"), "run", "--no-accounting", "--"]
    done = subprocess.run(
        program if is_plain else [sys.executable, *cluster, *program],
        cwd=folder,
        env={**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=_LIMIT_S,
    )
    return done.stdout

"""A scheduler of shell scripts that keeps its jobs in a folder, and can be made to answer anything."""

from pathlib import Path

TINY = """\
name: tiny
workload: cosmoflow
base:
  data: {samples: 16, resolution: 16, channels: 1, universes: 4}
  model: {depth: 1, width: 4}
axes:
  model: {width: [4, 8]}
  ranks: {ranks: [1, 2, 4], scaling: weak}
placement: {nodes: 2, ranks_per_node: 2}
timing: {warmup_steps: 1, min_steps: 3, max_steps: 5, budget_s: 0.5}
"""
SITE = "name: box\nscheduler: slurm\npartition: main\nmax_time_h: 1\n"
_SBATCH = """\
for script; do :; done
while ! mkdir {jobs}.lock 2>/dev/null; do sleep 0.01; done
number=$(($(cat {jobs}.number 2>/dev/null || echo 0) + 1))
echo $number > {jobs}.number
sed -n 's/^#SBATCH --job-name=//p' "$script" > {jobs}/$number
rmdir {jobs}.lock
echo $number
"""
_SQUEUE = """\
for job in {jobs}/*; do
    [ ! -f "$job" ] || echo "${{job##*/}}|N/A|PENDING||Resources|$(cat "$job")"
done
"""
_SINFO = """\
for node in n1 n2; do echo "main*|up|infinite|$node|127.0.0.1|8|1000|(null)|idle"; done
"""
_ANSWERS = {
    "sbatch": _SBATCH,
    "squeue": _SQUEUE,
    "sacct": "true",
    "sinfo": _SINFO,
    "scontrol": "echo MaxArraySize = 1001",
    "scancel": "for job; do rm -f {jobs}/$job; done",
}


class FakeScheduler:
    """Its commands are in ``programs``, to be put first on PATH."""

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "programs"
        self._jobs = folder / "jobs"
        for path in (self.programs, self._jobs):
            path.mkdir()
        for name in _ANSWERS:
            self.answer(name, self.usual(name))

    @property
    def jobs(self) -> list[str]:
        """The ids of the jobs that it has."""
        return sorted(path.name for path in self._jobs.iterdir())

    def usual(self, name: str) -> str:
        """The lines of shell of a command that does its work."""
        return _ANSWERS[name].format(jobs=self._jobs)

    def answer(self, name: str, lines: str) -> None:
        """Let a command answer with these lines of shell from now on."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)

    def lose(self, name: str) -> None:
        """Take a command away."""
        (self.programs / name).unlink()

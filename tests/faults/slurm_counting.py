"""A sweep under faults: its command, and what became of every point, counted in the folders themselves."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from slurm_cluster_fixture import SlurmCluster, wait_until
from slurm_sweep import folder_of, points_of
from tiny_points import ENVIRONMENT, steps_of

from saih.domain.errors import DamagedData
from saih.domain.record import Outcome
from saih.store.attempt import SUPERSEDED, read_outcome
from saih.store.batch_folder import BatchFolder, batch_numbers, read_batch, read_holder
from saih.store.sweep_folder import all_attempts, attempts_of, point_states, read_records

HERE = Path(__file__).parent
COMMAND = HERE / "slurm_sweep.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultySweep:
    """A sweep that was asked in ``root``, on a cluster."""

    cluster: SlurmCluster
    root: Path

    def start(self) -> subprocess.Popen[str]:
        """Starts the command that submits what is missing."""
        paths = os.pathsep.join((str(HERE), str(HERE.parent / "launch"), str(HERE.parents[1])))
        return subprocess.Popen(
            [sys.executable, str(COMMAND), str(self.root)],
            env={**self.cluster.environment, "PYTHONPATH": paths},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def submit(self) -> str:
        """The command, run to its end; gives what it said."""
        process = self.start()
        _, said = process.communicate(timeout=240)
        assert process.returncode == 0, said
        return said

    def queue(self) -> list[str]:
        """The jobs in the queue, with state and reason."""
        return self.cluster.call("squeue", "-h", "-o", "%i %T %r").splitlines()

    def wait_until_begun(self, num_attempts: int = 1, patience_s: float = 60.0) -> None:
        """Until so many attempts were begun."""
        wait_until(lambda: self.num_begun >= num_attempts, patience_s, self.story)

    def wait_until_completed(self, num_points: int, patience_s: float = 90.0) -> None:
        """Until so many points are completed."""
        wait_until(lambda: len(self.completed()) >= num_points, patience_s, self.story)

    def wait_for_end(self, patience_s: float = 150.0) -> None:
        """Until no job is left."""
        wait_until(lambda: not self.queue(), patience_s, self.story)

    def finish(self, max_rounds: int = 5) -> int:
        """The same command again until there is nothing to submit; gives how often it was needed."""
        for number in range(max_rounds):
            self.wait_for_end()
            if " 0 points to submit, 0 under way" in f" {self.submit()}":
                return number
        raise AssertionError(f"still points to submit: {self.story()}")

    @property
    def num_begun(self) -> int:
        return len(list(all_attempts(folder_of(self.root))))

    def completed(self) -> Counter[str]:
        """How many completed outcomes each point has."""
        counts: Counter[str] = Counter()
        for attempt in all_attempts(folder_of(self.root)):
            try:
                counts[attempt.point_id] += read_outcome(attempt).outcome is Outcome.COMPLETED
            except (FileNotFoundError, DamagedData):
                continue
        return +counts

    def driver(self) -> int | None:
        """The process of the driver that holds the newest batch."""
        folder = folder_of(self.root)
        numbers = batch_numbers(folder)
        holder = read_holder(BatchFolder(sweep=folder, number=max(numbers))) if numbers else None
        return holder.process if holder else None

    def ranks(self) -> list[int]:
        """Processes of ranks, wherever they run."""
        found = self.cluster.processes("slurm_worker", str(self.root))
        return [pid for pid in found if "mpirun" not in _program(pid) and "srun" not in _program(pid)]

    def require_all_measured_once(self, *, failed: frozenset[str] = frozenset()) -> Counter[str]:
        """Counts; fails when a point was lost, measured twice, or has another outcome than it must have."""
        folder, points = folder_of(self.root), points_of(self.root)
        records, damages = read_records(folder)
        by_point = {record.point.point_id: record for record in records}
        completed = self.completed()
        states = point_states(folder, [point.point_id for point in points])
        counts: Counter[str] = Counter(points=len(points), attempts=self.num_begun, damages=len(damages))
        for point in points:
            fault, record = str(point.problem.model["fault"]), by_point.get(point.point_id)
            counts["twice"] += completed[point.point_id] > 1
            counts["superseded"] += sum(
                (attempt.path / SUPERSEDED).exists() for attempt in attempts_of(folder, point.point_id)
            )
            if fault in failed:
                counts["explained"] += bool(states[point.point_id].reason)
                counts["wrong"] += completed[point.point_id] > 0
                continue
            counts["lost"] += completed[point.point_id] == 0
            counts["once"] += completed[point.point_id] == 1
            is_right = record is not None and record.result.steps == steps_of(point)
            counts["wrong"] += not is_right or record.environment != ENVIRONMENT
        faults = {key: counts[key] for key in ("lost", "twice", "wrong", "damages")}
        assert faults == {"lost": 0, "twice": 0, "wrong": 0, "damages": 0}, f"{counts}\n{self.story()}"
        return counts

    def reason_of(self, fault: str) -> str:
        """Outcome and reason of the point with this fault."""
        (point,) = [point for point in points_of(self.root) if point.problem.model["fault"] == fault]
        state = point_states(folder_of(self.root), [point.point_id])[point.point_id]
        return f"{state.status}, {state.outcome}: {state.reason}"

    def require_nothing_left(self) -> None:
        """No rank lives on."""
        wait_until(lambda: not self.ranks(), 15.0, lambda: f"ranks live on: {self.ranks()}")

    def no_point_in_two_batches(self) -> bool:
        """Whether the batches that were written share no point."""
        folder = folder_of(self.root)
        ids = [
            point.point_id
            for number in batch_numbers(folder)
            for point in read_batch(BatchFolder(sweep=folder, number=number)).points
        ]
        return len(ids) == len(set(ids))

    def story(self) -> str:
        """What is known, for a failure."""
        logs = sorted(self.root.glob("results/*/submissions/*/log-*.txt"))
        texts = [f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in logs]
        return "\n".join([*self.queue(), f"completed: {dict(self.completed())}", *texts])


def random_pause(chance: random.Random, within_s: float) -> None:
    time.sleep(chance.uniform(0.0, within_s))


def words_of(counts: Counter[str]) -> str:
    """Counts as one line."""
    return ", ".join(f"{number} {word}" for word, number in counts.items())


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""

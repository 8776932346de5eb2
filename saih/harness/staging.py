"""Data sets copied to the nodes that read them, once for all points of a job."""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from augment.problem import Shape
from saih.domain.errors import EnvironmentMissing
from saih.domain.job import Job
from saih.domain.point import Point
from saih.domain.quantity import with_si
from saih.domain.staged import Staged, staged_notes
from saih.harness.checked_copy import copy_checked
from saih.harness.clock import host_ns
from saih.harness.ranks import Ranks, host_name
from saih.harness.staging_folder import staging_folder
from saih.machine.messages import Message, broadcast, gather_all
from workloads.protocol import JobSide
from workloads.stored_files import Reading, StoredFile, StoringJob

USABLE_SHARE = 0.95
"""Of the room that is free; a disk that is full to the brim is slow, and others may write to it."""
_POLL_S = 0.01
_MARGIN_STEPS = 100
"""Beyond those that are measured: batches made ahead, and the step whose operations are counted."""


@dataclass(slots=True, kw_only=True)
class _Copy:
    """What of one data set is on this node so far."""

    paths: set[Path] = field(default_factory=set)
    duration_ns: int = 0
    num_bytes: int = 0
    stored_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """The ranks that share a copy."""

    ranks: tuple[int, ...]
    place: int
    """Of this rank among them."""
    folder: Path


class Staging:
    """Copies of data sets on this node; every rank of a job has one and calls it as the others do.

    Use it in a ``with`` statement: leaving it removes the copies.
    """

    def __init__(self, ranks: Ranks, base: Path, beat: Callable[[str], None]) -> None:
        self._ranks = ranks
        self._base = base
        self._beat = beat
        self._stack = ExitStack()
        self._node: _Node | None = None
        self._copies: dict[Shape, _Copy] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def stage(self, point: Point, side: JobSide, data_folder: Path) -> Path:
        """The data folder to read from: that of the node, once all its ranks have copied what they read.

        Files that they do not read are links to where they were.

        Raises:
            EnvironmentMissing: on every rank, when some node lacks room, or a file could not be copied.
        """
        if point.supply.staging == "none" or not isinstance(side, StoringJob):
            return data_folder
        node = self._node = self._node or self._meet()
        copy = self._copies.setdefault(point.problem.data, _Copy())
        files: list[StoredFile] = []

        def prepare() -> int:
            files.extend(side.files(point.problem, data_folder, reading_of(point, node.ranks)))
            if node.place == 0:
                self._make_room(node, data_folder, files, copy)
            return 0

        prepared = self._agreed(prepare)
        due = [file for file in files if file.is_read and file.path not in copy.paths]
        copied = self._agreed(lambda: self._copy(due[node.place :: len(node.ranks)], data_folder, node))
        copy.paths |= {file.path for file in due}
        if any(message["num_bytes"] for message in copied):
            copy.duration_ns += sum(max(one["spent_ns"] for one in told) for told in (prepared, copied))
        copy.num_bytes += sum(copied[rank]["num_bytes"] for rank in node.ranks)
        copy.stored_bytes = sum(file.num_bytes for file in files)
        return node.folder

    def notes(self, point: Point) -> dict[str, str]:
        """What is written down beside a point whose data set was staged; empty for others."""
        copy = self._copies.get(point.problem.data)
        if copy is None or point.supply.staging == "none":
            return {}
        return staged_notes(
            Staged(
                duration_s=copy.duration_ns / 1e9,
                num_bytes=copy.num_bytes,
                stored_bytes=copy.stored_bytes,
                num_nodes=len(self._ranks.hosts),
            )
        )

    def _meet(self) -> _Node:
        """Who shares this node, and the folder that the first of them makes."""
        comm = self._ranks.comm
        hosts = [message["host"] for message in gather_all(comm, {"host": host_name()})]
        mates = tuple(rank for rank, host in enumerate(hosts) if host == hosts[comm.rank])
        token = broadcast(comm, {"token": secrets.token_hex(6)} if comm.rank == 0 else None)["token"]
        place = mates.index(comm.rank)
        name = f"{token}-{mates[0]}"
        folder = self._base / f"saih-staging-{os.getuid()}" / name

        def make() -> int:
            if place == 0:
                self._stack.enter_context(staging_folder(self._base, name))
            return 0

        self._agreed(make)
        return _Node(ranks=mates, place=place, folder=folder)

    def _make_room(self, node: _Node, data_folder: Path, files: Sequence[StoredFile], copy: _Copy) -> None:
        """Refuse what the node has no room for; folders for all files, links for those that are not read."""
        needed = sum(file.num_bytes for file in files if file.is_read and file.path not in copy.paths)
        free = int(shutil.disk_usage(node.folder).free * USABLE_SHARE)
        if needed > free:
            raise EnvironmentMissing(
                f"staging needs {with_si(needed, 'B')} below {self._base}, which has {with_si(free, 'B')}",
                "name a larger folder of each node's own (staging_folder of the site file, or TMPDIR), or "
                "leave staging out.",
            )
        for file in files:
            target = node.folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.is_read and target.is_symlink():
                target.unlink()
            elif not file.is_read and not target.exists():
                target.symlink_to((data_folder / file.path).absolute())

    def _copy(self, files: Sequence[StoredFile], data_folder: Path, node: _Node) -> int:
        num_bytes = 0
        for file in files:
            place = f"staging {file.path.name}"
            source, target = data_folder / file.path, node.folder / file.path
            num_bytes += copy_checked(source, target, file.sha256, partial(self._beat, place))
        return num_bytes

    def _agreed(self, work: Callable[[], int]) -> Sequence[Message]:
        """Do this rank's part; what all ranks did. One that failed fails them all, at the same place."""
        error, num_bytes, begin_ns = "", 0, host_ns()
        try:
            num_bytes = work()
        except Exception as raised:
            error = (
                str(raised)
                if isinstance(raised, EnvironmentMissing)
                else f"{type(raised).__name__}: {raised}"
            )
        spent_ns = host_ns() - begin_ns
        request = self._ranks.comm.Ibarrier()
        while not request.Test():  # who has copied its part is not stuck
            self._beat("waiting for other ranks to stage")
            time.sleep(_POLL_S)
        told = {"error": error, "num_bytes": num_bytes, "spent_ns": spent_ns, "host": host_name()}
        messages = gather_all(self._ranks.comm, told)
        failed = next((message for message in messages if message["error"]), None)
        if failed is not None:
            problem, _, remedy = str(failed["error"]).partition("\n  -> ")
            raise EnvironmentMissing(
                f"data could not be staged on {failed['host']}: {problem}",
                remedy or "mend what it says, or leave staging out.",
            )
        return messages


def staging_base(job: Job) -> Path:
    """Where copies are made: a folder that this node has of its own."""
    return Path(job.staging_folder or tempfile.gettempdir())


def reading_of(point: Point, ranks: tuple[int, ...]) -> Reading:
    """What some ranks read of a point's data set; how many steps a search takes nobody knows before."""
    degrees = point.placement.degrees
    most_steps = point.timing.warmup_steps + point.timing.max_steps + _MARGIN_STEPS
    return Reading(
        ranks=ranks,
        num_replicas=point.placement.num_ranks // degrees.num_ranks,
        ranks_per_replica=degrees.num_ranks,
        batch=point.batch_per_rank,
        seed=point.seed,
        num_steps=None if point.execution.is_searched else most_steps,
    )

"""Whether all hosts see the same data: one shared folder, or equal copies of it."""

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from saih.domain.errors import EnvironmentMissing
from saih.domain.job import Job
from saih.harness.ranks import Ranks
from saih.machine.messages import Message, broadcast, gather

_PATIENCE_S = 3.0
"""Network file systems may show a new file late."""


def require_same_data(job: Job, ranks: Ranks) -> None:
    """Do nothing when all hosts see the same data folder; every rank of the job calls it.

    Rank 0 puts a file there that no other folder has. Hosts that do not see it have a folder of their own,
    which is well for measuring when it holds the same files, and never for making them.

    Raises:
        EnvironmentMissing: on every rank otherwise, naming the hosts.
    """
    if len(ranks.hosts) == 1:
        return
    folder = Path(job.data_folder)
    name = broadcast(ranks.comm, {"name": _put_sign(folder)} if ranks.rank == 0 else None)["name"]
    is_first = ranks.rank in set(ranks.first_ranks)
    try:
        private = _agreed(ranks, {"sees": is_first and _sees(folder, name)}, _unseeing)
    finally:
        if ranks.rank == 0 and name:
            with suppress(OSError):
                (folder / name).unlink()
    # A folder that takes no sign may be shared, but is as good as a copy: nothing can be made in it.
    if private and (job.task != "generate" or not name):
        private = _agreed(ranks, {"digest": digest_of(folder) if is_first else ""}, _unequal)
    if private:
        raise EnvironmentMissing(
            f"{', '.join(private[:5])}{' and others' if len(private) > 5 else ''} has a data folder {folder} "
            f"of its own, with other files than {ranks.hosts[0]} has there",
            "name a data folder (--data) on a file system that all nodes share.",
        )


def digest_of(folder: Path) -> str:
    """SHA-256 over the names and sizes of the files of a folder and of the folders in it."""
    found = []
    for path in (*folder.glob("*"), *folder.glob("*/*")):
        with suppress(OSError):
            size = path.stat().st_size if path.is_file() else 0
            found.append(f"{path.relative_to(folder)} {size}")
    return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()


def _put_sign(folder: Path) -> str:
    """The name of a file that exists nowhere else; empty where none can be made."""
    name = f".saih-shared-{secrets.token_hex(8)}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        return ""
    os.close(descriptor)
    return name


def _sees(folder: Path, name: str) -> bool:
    deadline_s = time.monotonic() + _PATIENCE_S
    while name and not (folder / name).exists() and time.monotonic() < deadline_s:
        time.sleep(_PATIENCE_S / 30)
    return bool(name) and (folder / name).exists()


def _agreed(ranks: Ranks, own: Message, judge: Callable[[Sequence[Message]], list[int]]) -> list[str]:
    """The hosts that ``judge`` objects to, by what the first rank of each of them says; on every rank."""
    messages = gather(ranks.comm, own)
    if messages is None:
        return list(broadcast(ranks.comm, None)["hosts"])
    objected = judge([messages[rank] for rank in ranks.first_ranks])
    return list(broadcast(ranks.comm, {"hosts": [ranks.hosts[index] for index in objected]})["hosts"])


def _unseeing(messages: Sequence[Message]) -> list[int]:
    return [index for index, message in enumerate(messages) if not message["sees"]]


def _unequal(messages: Sequence[Message]) -> list[int]:
    return [index for index, message in enumerate(messages) if message["digest"] != messages[0]["digest"]]

"""A fence around the points of a batch: only who holds them publishes what was measured."""

from dataclasses import dataclass
from pathlib import Path

from saih.domain.batch import Holder
from saih.domain.errors import DamagedData, Superseded
from saih.store.note import read_note

HOLDER_REMEDY = (
    "delete this file; the next `saih sweep` of the same sweep goes on without it; no point is lost."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """The file that names who holds the points, and the token of the one who may publish."""

    holder_path: str = ""
    """Empty where a lock of the file system keeps others out."""
    token: str = ""

    @property
    def is_open(self) -> bool:
        """Whether results may be published now."""
        return not self.holder_path or is_held(Path(self.holder_path), self.token)

    def superseded(self) -> Superseded:
        """The error of one who lost the points."""
        path = Path(self.holder_path)
        try:
            holder = holder_at(path)
        except DamagedData:
            holder = None
        words = f"job {holder.job_id} on {holder.host}, since {holder.since_utc}" if holder else "another job"
        return Superseded(
            f"{path.parent.name} was taken over by {words}; what is measured here no longer counts.",
            "nothing is to be done: the points go on there, and none is counted twice.",
        )


NO_FENCE = Fence()


def is_held(holder_path: Path, token: str) -> bool:
    """Whether the batch is still held by ``token``; a file that cannot be read leaves it held."""
    try:
        holder = holder_at(holder_path)
    except DamagedData:
        return True
    return holder is None or holder.token == token


def holder_at(path: Path) -> Holder | None:
    """The holder that a file names; None where there is none, DamagedData when it does not verify."""
    return read_note("saih holder", Holder, path, remedy=HOLDER_REMEDY)

"""What staging a data set took, as it is noted beside the points that read the copies."""

from collections.abc import Mapping
from dataclasses import dataclass

_NAMES = ("staging_s", "staged_bytes", "staging_stored_bytes", "staging_nodes")
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """How long the nodes took to copy what their ranks read."""

    duration_s: float
    """Until the last node had its copy."""
    num_bytes: int
    """Copied to one node."""
    stored_bytes: int
    """Of the whole data set on disk: what each node would copy for ranks that read all of it."""
    num_nodes: int

    @property
    def bytes_per_s(self) -> float:
        """Rate of one node."""
        return self.num_bytes / self.duration_s

    def samples_per_s(self, samples_per_s: float, num_samples: int, num_epochs: int) -> float:
        """The rate of training with the staging inside: so many epochs, and the whole data set copied once.

        Where a part was copied, the rest is taken to come at the same rate.
        """
        staging_s = self.duration_s * self.stored_bytes / max(self.num_bytes, 1)
        samples = num_epochs * num_samples
        return samples / (samples / samples_per_s + staging_s)


def staged_notes(staged: Staged) -> dict[str, str]:
    """As notes of a point."""
    values = (f"{staged.duration_s:.6g}", staged.num_bytes, staged.stored_bytes, staged.num_nodes)
    return {name: str(value) for name, value in zip(_NAMES, values, strict=True)}


def staged_of(notes: Mapping[str, str]) -> Staged | None:
    """What the notes of a point say; None where they say nothing, or nothing that can be."""
    texts = [notes.get(name, "") for name in _NAMES]
    try:
        duration_s = float(texts[0])
    except ValueError:
        return None
    if not 0 < duration_s < float("inf") or not all(_is_count(text) for text in texts[1:]):
        return None
    num_bytes, stored_bytes, num_nodes = map(int, texts[1:])
    return Staged(duration_s=duration_s, num_bytes=num_bytes, stored_bytes=stored_bytes, num_nodes=num_nodes)


def _is_count(text: str) -> bool:
    return text.isdecimal() and len(text) <= _MOST_DIGITS and int(text) > 0

"""A claim: a sentence of a report with what it rests on, so that it can be made again and held against it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One printed sentence, the records behind it, and the law behind it where there is one."""

    claim_id: str
    """Stable over runs of the same sweep, such as ``range-of-share`` or ``growth/data``."""
    text: str
    """The very sentence that is printed."""
    record_ids: tuple[str, ...] = ()
    """The records that it rests on; empty where it tells of what was planned and never run."""
    fit: str = ""
    """The law behind it in words; empty for none."""

    def __post_init__(self) -> None:
        if not self.claim_id or not self.text:
            raise ValueError(f"a claim needs an id and a sentence, got {self.claim_id!r}, {self.text!r}")

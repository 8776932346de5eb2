"""A bundle: the records of one sweep in one file, for another site; and where an imported sweep came from."""

from dataclasses import dataclass

from saih.domain.moment import require_utc

BUNDLE_SCHEMA = 1
"""Of the layout of a bundle; it grows when an older SAIH could misread what a newer one writes."""
UNVERIFIED = "unverified submission: the fingerprint is no signature and does not prove who measured this"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """Who publishes a bundle, and what others may do with it; empty where nothing was said."""

    license: str = ""
    """URL, or identifier of SPDX such as ``CC-BY-4.0``."""
    author: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What a bundle says of itself."""

    bundle_schema: int
    saih_version: str
    """The SAIH that wrote the bundle."""
    name: str
    """What the sweep was called where it was measured."""
    environment_ids: tuple[str, ...]
    num_points: int
    """Points with a finished attempt."""
    num_attempts: int
    last_finished_utc: str
    """When the last attempt ended; also the date of the bundle: the same records give the same bytes."""
    is_anonymised: bool
    credit: Credit

    def __post_init__(self) -> None:
        require_utc(self.last_finished_utc)
        if not 1 <= self.num_points <= self.num_attempts:
            raise ValueError(f"it counts {self.num_points} points and {self.num_attempts} attempts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an imported sweep came from."""

    fingerprint: str
    """SHA-256 over the list of all files of the bundle with the SHA-256 of each."""
    name: str
    """What the sweep was called where it was measured."""
    saih_version: str
    """The SAIH that wrote the bundle."""
    is_anonymised: bool
    imported_utc: str

    def __post_init__(self) -> None:
        require_utc(self.imported_utc)

    @property
    def statement(self) -> str:
        """Where it came from, in one sentence that is the same wherever the bundle was imported."""
        called = f"the sweep {self.name} of another site"
        kind = "anonymised bundle" if self.is_anonymised else "bundle"
        return f"Imported: {called}, {kind} {self.fingerprint} ({UNVERIFIED})."

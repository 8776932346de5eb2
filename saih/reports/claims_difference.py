"""Two sets of claims held against each other: what a report says, and what is found now."""

from collections.abc import Mapping
from dataclasses import dataclass

from saih.domain.claim import Claim
from saih.reports.claims_file import ClaimsFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Files that a report was made from and that are no longer what they were, by name."""

    changed: tuple[str, ...]
    vanished: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimDifference:
    """One claim that is not made now as it was then; None where there is none."""

    then: Claim | None
    now: Claim | None
    behind: tuple[str, ...]
    """Of the records that it rests on or rested on, those that changed, vanished or are new."""

    @property
    def claim_id(self) -> str:
        """Of the claim as it was, or as it is where it is new."""
        return self.then.claim_id if self.then is not None else self.now.claim_id if self.now else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsDifference:
    """Everything in which a report differs from what would be reported now."""

    head: tuple[str, ...]
    """Differences of the sweep or the environment, in words."""
    claims: tuple[ClaimDifference, ...]
    num_equal: int
    records: Sources
    ceilings: Sources

    @property
    def is_edited(self) -> bool:
        """Whether something that the report was made from is gone or was changed, or its sentences were."""
        sources = (self.records, self.ceilings)
        is_touched = any(source.changed or source.vanished for source in sources)
        return is_touched or (bool(self.claims) and not self.is_outdated)

    @property
    def is_outdated(self) -> bool:
        """Whether something was measured since."""
        return bool(self.records.new or self.ceilings.new)


def difference(then: ClaimsFile, now: ClaimsFile) -> ClaimsDifference:
    """What differs between the claims of a report and those of now."""
    records = _sources(then.records, now.records)
    touched = frozenset((*records.changed, *records.vanished, *records.new))
    old = {claim.claim_id: claim for claim in then.claims}
    new = {claim.claim_id: claim for claim in now.claims}
    differing = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return ClaimsDifference(
        head=_head(then, now),
        claims=tuple(_difference(old.get(name), new.get(name), touched) for name in differing),
        num_equal=len({**old, **new}) - len(differing),
        records=records,
        ceilings=_sources(then.ceilings, now.ceilings),
    )


def _difference(then: Claim | None, now: Claim | None, touched: frozenset[str]) -> ClaimDifference:
    record_ids = [record_id for claim in (then, now) if claim is not None for record_id in claim.record_ids]
    behind = tuple(record_id for record_id in dict.fromkeys(record_ids) if record_id in touched)
    return ClaimDifference(then=then, now=now, behind=behind)


def _sources(then: Mapping[str, str], now: Mapping[str, str]) -> Sources:
    """What became of the files; one made from no folder names none, so nothing is told of them."""
    if not then:
        return Sources(changed=(), vanished=(), new=())
    return Sources(
        changed=tuple(name for name in then if name in now and now[name] != then[name]),
        vanished=tuple(name for name in then if name not in now),
        new=tuple(name for name in now if name not in then),
    )


def _head(then: ClaimsFile, now: ClaimsFile) -> tuple[str, ...]:
    said = (
        ("sweep", then.sweep, now.sweep),
        ("environment", then.environment_id, now.environment_id),
        ("kind of report", then.kind, now.kind),
    )
    return tuple(f"{name}: {old} then, {new} now" for name, old, new in said if old != new)

"""A report held against the results that it was made from."""

import stat
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from saih.commands.analysis import analysis_of
from saih.commands.reporting import Format, claims_now, write_as
from saih.domain.claim import Claim
from saih.domain.errors import DamagedData, GateFailed, UsageError
from saih.domain.quantity import counted
from saih.domain.trend import Analysis
from saih.reports.claims_carrier import claims_in, not_shown
from saih.reports.claims_difference import ClaimDifference, ClaimsDifference, Sources, difference
from saih.reports.claims_file import ClaimsFile, decode, encode
from saih.reports.document import Document
from saih.reports.label import shortened
from saih.reports.trend_report import trend_document
from saih.store.sweep_folder import SweepFolder

_MAX_BYTES = 256 * 2**20
"""More than a report of the largest sweep has."""
_SENTENCE = 600
_NAME = 80
_MOST_NAMES = 12
_MOST_CLAIMS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was found when a report was held against its results."""

    path: Path
    difference: ClaimsDifference
    damages: tuple[str, ...]
    """What does not verify in the results now."""
    is_same_file: bool | None
    """Whether the same bytes are made now; None where that was not tried."""
    not_shown: tuple[Claim, ...]
    """Sentences that the file carries and does not show: somebody edited the page."""

    @property
    def exit_code(self) -> int:
        """0 when all agrees, 4 when something was edited or lost, 5 when the results went on since.

        5 also for a file whose sentences agree and whose bytes do not: its tables or figures may be edited.
        """
        if self.damages or self.not_shown or self.difference.is_edited:
            return DamagedData.exit_code
        return GateFailed.exit_code if self.difference.claims or self.is_same_file is False else 0

    @property
    def has_equal_sentences(self) -> bool:
        """Whether every sentence is shown, and made again as it was from the same records."""
        found = self.difference
        return not (self.damages or self.not_shown or found.is_edited or found.claims)


def check_report(path: Path, folder: SweepFolder, data_folder: Path) -> Check:
    """How the report at ``path`` differs from what the folder gives now.

    Raises:
        UsageError: when the file is no report of this sweep.
        DamagedData: when its claims cannot be read, or no record verifies.
    """
    data = _read(path)
    then = decode(claims_in(data, str(path)), str(path))
    if then.kind != "trend":
        raise UsageError(
            f"{path} is a {then.kind}, not the report of one sweep", "give a report that `saih report` wrote."
        )
    analysis, damages = analysis_of(folder, data_folder)
    document = trend_document(analysis)
    now = claims_now(folder, analysis, document)
    _require_same_sweep(path, then, now)
    found = difference(then, now)
    known = frozenset(now.claims)  # the others are told of as different
    kind = _format(data) if then == now and not damages else None
    return Check(
        path=path,
        difference=found,
        damages=damages,
        is_same_file=data == _made_now(analysis, document, now, kind) if kind is not None else None,
        not_shown=not_shown(data, [claim for claim in then.claims if claim in known]),
    )


def check_text(check: Check) -> str:
    """A line of verdict, then what became of the files, then each sentence that differs."""
    found = check.difference
    lines = [
        *_verdict(check),
        *found.head,
        *_sources("record", found.records),
        *_sources("ceilings", found.ceilings),
    ]
    for claim in check.not_shown:
        lines += ["", f"{shortened(claim.claim_id, _NAME)}: the page does not show its sentence:"]
        lines += [f"  carried: {_sentence(claim)}"]
    for one in found.claims[:_MOST_CLAIMS]:
        lines += ["", *_claim_lines(one, has_sources=bool(found.records.new or _lost(found)))]
    left = len(found.claims) - _MOST_CLAIMS
    return "\n".join([*lines, *(["", f"and {left} more: see --json"] if left > 0 else [])])


def check_json(check: Check) -> dict[str, Any]:
    """The same for programs, with nothing shortened."""
    found = check.difference
    return {
        "file": str(check.path),
        "agrees": not check.exit_code,
        "is_edited": found.is_edited,
        "is_outdated": found.is_outdated,
        "is_same_file": check.is_same_file,
        "not_shown": [asdict(claim) for claim in check.not_shown],
        "damages": list(check.damages),
        "num_equal_claims": found.num_equal,
        **asdict(found),
        "claims": [{"claim_id": one.claim_id, **asdict(one)} for one in found.claims],
    }


def _format(data: bytes) -> Format | None:
    if data.startswith(b"%PDF-"):
        return "pdf"
    return None if data.lstrip().startswith(b"{") else "html"


def _made_now(analysis: Analysis, document: Document, now: ClaimsFile, kind: Format) -> bytes:
    with TemporaryDirectory(prefix="saih-check-") as place:
        return write_as(kind, analysis, document, encode(now), Path(place) / kind).read_bytes()


def _read(path: Path) -> bytes:
    """The bytes of a regular file that is no larger than a report."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{path} is not a file", "give a report that saih wrote.")
        if status.st_size > _MAX_BYTES:
            raise UsageError(
                f"{path} has {status.st_size} bytes, and no report has more than {_MAX_BYTES}",
                "give a report that saih wrote.",
            )
        with path.open("rb") as file:
            return file.read(_MAX_BYTES)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"{shortened(str(path), 200)} cannot be read: {reason}", "check the path of the report."
        ) from error


def _require_same_sweep(path: Path, then: ClaimsFile, now: ClaimsFile) -> None:
    """Refuse the report of another sweep; a renamed one has records in common."""
    if then.sweep != now.sweep and not set(then.records) & set(now.records):
        raise UsageError(
            f"{path} is a report of the sweep {shortened(then.sweep, _NAME)}, and has no record in common "
            f"with {now.sweep}",
            "name the sweep that it is a report of.",
        )


def _lost(found: ClaimsDifference) -> tuple[str, ...]:
    sources = (found.records, found.ceilings)
    return tuple(name for source in sources for name in (*source.changed, *source.vanished))


def _verdict(check: Check) -> Iterator[str]:
    found = check.difference
    sentences = counted(found.num_equal + len(found.claims), "sentence")
    if check.has_equal_sentences:
        yield f"{check.path} agrees with the results: all {sentences} are made again as they were."
        yield from _same_file(check)
        return
    if found.claims or _lost(found) or not check.not_shown:
        told = f"{len(found.claims)} of {sentences} and {counted(len(_lost(found)), 'source')}"
        yield f"{check.path} DIFFERS from the results in {told}."
    else:
        yield f"{check.path} DIFFERS from what it carries, which agrees with the results."
    if check.not_shown:
        missing = counted(len(check.not_shown), "sentence")
        yield f"Its page was edited: it does not show {missing} that it carries."
    elif not found.is_edited and not check.damages:
        yield "Nothing that it was made from changed, but more was measured since: make the report anew."
    elif not _lost(found) and not check.damages:
        yield "Nothing that it was made from changed: it was edited, or another version of saih made it."


def _same_file(check: Check) -> Iterator[str]:
    if check.is_same_file:
        yield "The whole file is byte for byte what is made now."
    elif check.is_same_file is False:
        yield (
            "But the file is not byte for byte what is made now: another version of saih or of its libraries "
            "made it, or its tables or figures were edited. Make the report anew to be sure."
        )


def _sources(noun: str, sources: Sources) -> Iterator[str]:
    said = (
        ("changed since", sources.changed),
        ("no longer there", sources.vanished),
        ("new", sources.new),
    )
    for word, names in said:
        if names:
            yield f"{noun} {word} ({len(names)}): {_names(names)}"


def _claim_lines(one: ClaimDifference, *, has_sources: bool) -> Iterator[str]:
    yield f"{shortened(one.claim_id, _NAME)}:"
    yield f"  then: {_sentence(one.then)}"
    yield f"  now:  {_sentence(one.now)}"
    if one.then is not None and one.now is not None and one.then.text == one.now.text:
        yield "  the sentence is the same; what it rests on is not:"
        yield f"  then: {_basis(one.then)}"
        yield f"  now:  {_basis(one.now)}"
    if one.behind:
        yield f"  because of {_names(one.behind)}"
    elif has_sources:
        yield "  none of the records that it names changed"


def _sentence(claim: Claim | None) -> str:
    return shortened(claim.text, _SENTENCE) if claim is not None else "not said"


def _basis(claim: Claim) -> str:
    law = f"; {shortened(claim.fit, _SENTENCE)}" if claim.fit else ""
    return f"{_names(claim.record_ids) or 'no record'}{law}"


def _names(names: Sequence[str]) -> str:
    left = len(names) - _MOST_NAMES
    listed = ", ".join(shortened(name, _NAME) for name in names[:_MOST_NAMES])
    return f"{listed} and {left} more" if left > 0 else listed

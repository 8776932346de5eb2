"""Folders of results as systems side by side, their reports, and the gate over the comparison."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path

from saih.analyzer.comparison import compare
from saih.analyzer.system import merged, system_of
from saih.commands.analysis import analysis_of
from saih.commands.public_system import public_system
from saih.commands.selection import find_folder
from saih.domain.comparison import Comparison, Matching
from saih.domain.errors import GateFailed, UsageError
from saih.domain.quantity import counted, factor
from saih.domain.system import Price, System
from saih.interchange.mlperf_terms import in_public_terms
from saih.reports.claims_file import encode
from saih.reports.comparison_report import comparison_document, comparison_file
from saih.reports.document import write
from saih.reports.html_report import write_comparison_html
from saih.store.record_digest import record_digests
from saih.store.sweep_folder import SweepFolder

_LONGEST_FILE_NAME = 200
"""Bytes; file systems take 255."""
_NOT_IN_FILE_NAMES = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One system with the folders that its points come from."""

    system: System
    folders: tuple[SweepFolder, ...]
    damages: tuple[str, ...] = ()
    """What does not verify in them, one sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How the systems are to be held against each other."""

    matching: Matching
    noise: float | None
    prices: Mapping[str, Price]


def sides_of(words: Sequence[str], results: Path, data_folder: Path) -> tuple[Side, ...]:
    """The systems that the words of a command name.

    A word is ``SWEEP``, ``NAME=SWEEP,SWEEP,...`` for repeats, or ``NAME=mlperf:PATH`` for public results.
    Sweeps of one name are told apart by their folders. What does not verify in them is left out.

    Raises:
        UsageError: when there is no such sweep, or no public log, or a system repeats the same records.
    """
    public = {word: system for word in words if (system := public_system(word)) is not None}
    measured = _own_sides([word for word in words if word not in public], results, data_folder)
    if public:
        measured = [replace(side, system=in_public_terms(side.system)) for side in measured]
    own = iter(measured)
    return _warned_of_copies(
        _told_apart(
            [Side(system=public[word], folders=()) if word in public else next(own) for word in words]
        )
    )


def _own_sides(words: Sequence[str], results: Path, data_folder: Path) -> list[Side]:
    named = [_named(word, results) for word in words]
    places = {name: {folders[0].path for other, folders in named if other == name} for name, _ in named}
    sides = []
    for name, folders in named:
        require_own_records(folders)
        told = name if len(places[name]) == 1 else str(folders[0].path)
        systems = []
        damages: list[str] = []
        for folder in folders:
            analysis, found = analysis_of(folder, data_folder)
            damages += found
            systems.append(system_of(analysis, told))
        system = systems[0] if len(systems) == 1 else merged(told, systems)
        sides.append(Side(system=system, folders=tuple(folders), damages=tuple(damages)))
    return sides


def damages_of(sides: Sequence[Side]) -> tuple[str, ...]:
    """What does not verify in any of them, each once."""
    return tuple(dict.fromkeys(damage for side in sides for damage in side.damages))


def require_own_records(folders: Sequence[SweepFolder]) -> None:
    """Refuse folders that hold the same records: a copy tells nothing of how far runs differ.

    Raises:
        UsageError: when two of them do.
    """
    if len(folders) < 2:
        return
    holders: dict[str, int] = {}
    for number, folder in enumerate(folders):
        for digest in record_digests(folder).values():
            if holders.setdefault(digest, number) != number:
                other = folders[holders[digest]]
                raise UsageError(
                    f"{other.path} and {folder.path} hold the same records, and a copy is no repeat",
                    "name every measurement once.",
                )


def compare_sides(sides: Sequence[Side], terms: Terms) -> Comparison:
    """The comparison of these systems, with their prices.

    Raises:
        UsageError: when a price is of no system.
    """
    systems = [side.system for side in sides]
    unknown = sorted(set(terms.prices) - {system.name for system in systems})
    if unknown:
        known = ", ".join(system.name for system in systems)
        raise UsageError(f"--price names {unknown[0]!r}, which is not compared", f"name one of {known}.")
    priced = [replace(system, price=terms.prices.get(system.name)) for system in systems]
    return compare(priced, matching=terms.matching, noise=terms.noise)


def write_reports(comparison: Comparison, sides: Sequence[Side], path: Path) -> Mapping[str, Path]:
    """Write the comparison to ``path`` (PDF), and as HTML beside it; gives both paths."""
    document = comparison_document(comparison)
    claims_json = encode(comparison_file(comparison, document, _digests(sides)))
    return {
        "html": write_comparison_html(document, claims_json, path.with_suffix(".html")),
        "pdf": write(document, path, claims_json),
    }


def report_path(sides: Sequence[Side], reports: Path) -> Path:
    """Where the report of these systems is written unless something else is asked."""
    return reports / f"{_short('-and-'.join(file_name(side) for side in sides))}.pdf"


def file_name(side: Side) -> str:
    """What a file name can hold of the name of a system; no option and no hidden file begins so."""
    return _short(_NOT_IN_FILE_NAMES.sub("-", side.system.name).strip("-.")) or "system"


def _short(name: str) -> str:
    """``name`` in no more bytes than a file name may have, cut between characters."""
    return name.encode()[:_LONGEST_FILE_NAME].decode(errors="ignore")


def require_ratio(comparison: Comparison, min_ratio: float | None) -> None:
    """Refuse a mean speed of the first system over any other that is below the asked one.

    Raises:
        GateFailed: when it is, or when there is none.
    """
    if min_ratio is None:
        return
    for pair in comparison.pairs[: len(comparison.systems) - 1]:
        mean = pair.geometric_mean
        if mean is None or mean.value < min_ratio:
            found = (
                "unknown, without a matched point" if mean is None else f"{factor(mean)}, below {min_ratio:g}"
            )
            raise GateFailed(
                f"the mean speed of {pair.name_a} over {pair.name_b} is {found}",
                "see the table and the differences above.",
            )


def _named(word: str, results: Path) -> tuple[str, tuple[SweepFolder, ...]]:
    """The name of a system and its folders; a sweep whose name holds ``=`` is found by its whole name."""
    name, equals, listed = word.partition("=")
    if not equals or _is_folder(results / word) or _is_folder(Path(word)):
        folder = find_folder(word, results)
        return folder.name, (folder,)
    folders = tuple(find_folder(part, results) for part in listed.split(",") if part)
    if not name or not folders:
        raise UsageError(f"{word!r} names no sweep", "write NAME=SWEEP, or NAME=SWEEP,SWEEP for repeats.")
    return name, folders


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # longer than a file name can be
        return False


def _told_apart(sides: Sequence[Side]) -> tuple[Side, ...]:
    """Sides whose systems all have names of their own: a sweep that stands against itself gets a number."""
    taken: set[str] = set()
    told = []
    for side in sides:
        numbered = (f"{side.system.name} ({number})" for number in count(2))
        name = next(name for name in chain((side.system.name,), numbered) if name not in taken)
        taken.add(name)
        told.append(replace(side, system=replace(side.system, name=name)))
    return tuple(told)


def _warned_of_copies(sides: Sequence[Side]) -> tuple[Side, ...]:
    """Sides that say which of their records an earlier side has too: those are held against themselves."""
    holders: dict[str, str] = {}
    warned = []
    for side in sides:
        digests = set(_digests([side]).values())
        shared = Counter(holders[digest] for digest in digests & holders.keys())
        told = tuple(
            f"{number} of its {counted(len(digests), 'record')} {'is' if number == 1 else 'are'} copied from "
            f"{name} or the other way round: where they meet, one measurement is held against itself."
            for name, number in sorted(shared.items())
        )
        holders |= dict.fromkeys(digests - holders.keys(), side.system.name)
        warned.append(replace(side, system=replace(side.system, cautions=(*told, *side.system.cautions))))
    return tuple(warned)


def _digests(sides: Sequence[Side]) -> dict[str, str]:
    """SHA-256 by ``record_id@SYSTEM``, with the number of the run where a system has several."""
    found = {}
    for side in sides:
        for number, folder in enumerate(side.folders, start=1):
            run = f"#{number}" if len(side.folders) > 1 else ""
            for record_id, digest in record_digests(folder).items():
                found[f"{record_id}{run}@{side.system.name}"] = digest
    return found

"""Which files of a sweep leave its site, and with which bytes: an allow-list, names replaced where asked."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from saih.domain.ceiling import Ceilings
from saih.domain.errors import UsageError
from saih.domain.record import Environment, Record, environment_id
from saih.store import codec
from saih.store.adaptive_file import encode_adaptive, read_adaptive
from saih.store.attempt import ENVIRONMENT, OUTCOME, POINT, STEPS, Attempt, read_record
from saih.store.bundle_anonymity import Names, Pseudonyms, names_in, users_in
from saih.store.bundle_census import ceilings_name
from saih.store.bundle_layout import DEFINITION, LEFT_OUT, LIMITS, attempt_name
from saih.store.bundle_studies import study_files
from saih.store.ceilings_file import read_ceilings
from saih.store.files import MAX_STEPS_BYTES, read_file
from saih.store.limits_file import read_limits
from saih.store.sweep_folder import SweepFolder, all_attempts, read_definition
from saih.store.verification_file import VERIFICATION, encode_trial, read_trials


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The finished attempts of a sweep as they are when it is bundled."""

    folder: SweepFolder
    attempts: tuple[Attempt, ...]
    """In the order of their names in the bundle."""
    ceilings: tuple[Ceilings, ...]
    """Only those that the records were measured under."""
    point_ids: frozenset[str]
    environment_ids: Mapping[str, str]
    """The id of each environment here, and its id in the bundle."""
    last_finished_utc: str
    pseudonyms: Pseudonyms | None
    """None where names stay."""

    @property
    def name(self) -> str:
        """What the sweep is called in the bundle."""
        return self.folder.name if self.pseudonyms is None else self.pseudonyms.text(self.folder.name)


def find_contents(folder: SweepFolder, names: Names | None) -> Contents:
    """What a bundle of this sweep holds; every file of it is verified. ``names`` are replaced, if given.

    Raises:
        UsageError: when there is no sweep, or none of its points is finished.
        DamagedData: when a record or a ceiling does not verify.
    """
    read_definition(folder)
    attempts: list[Attempt] = []
    environments: dict[str, Environment] = {}
    ceilings: dict[str, Ceilings | None] = {}
    points, last_utc = set(), ""
    for attempt, record in _records(folder):
        attempts.append(attempt)
        points.add(record.point.point_id)
        environments.setdefault(record.environment.environment_id, record.environment)
        last_utc = max(last_utc, record.finished_utc)
        names = None if names is None else names.joined(_names_of(record))
        place = ceilings_name(record.environment.environment_id, record.point.placement.seats_label)
        if place not in ceilings:
            ceilings[place] = read_ceilings(
                folder.root, record.environment.environment_id, record.point.placement
            )
    if not attempts:
        raise UsageError(
            f"the sweep {folder.name} has no finished point yet", f"run `saih sweep {folder.name}` first."
        )
    pseudonyms = None if names is None else Pseudonyms(names=names)
    return Contents(
        folder=folder,
        attempts=tuple(attempts),
        ceilings=tuple(one for one in ceilings.values() if one is not None),
        point_ids=frozenset(points),
        environment_ids={
            key: _environment(environments[key], pseudonyms).environment_id for key in sorted(environments)
        },
        last_finished_utc=last_utc,
        pseudonyms=pseudonyms,
    )


def files_of(contents: Contents) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every file that was measured, by name; the same ones each time.

    Raises:
        DamagedData: when a file went away or was changed since ``find_contents``.
    """
    ceilings = (
        replace(one, environment_id=contents.environment_ids[one.environment_id]) for one in contents.ceilings
    )
    named = {ceilings_name(one.environment_id, one.placement_label): one for one in ceilings}
    for name in sorted(named):
        yield name, codec.encode_ceilings(named[name])
    definition = dict(read_definition(contents.folder))
    if contents.pseudonyms is not None:
        definition["name"] = contents.pseudonyms.text(str(definition.get("name", "")))
    yield DEFINITION, codec.encode_definition(definition)
    adaptive = read_adaptive(contents.folder)
    if adaptive is not None and adaptive.is_over:  # else the rest is still to be measured
        yield LEFT_OUT, encode_adaptive(adaptive)
    limits = read_limits(contents.folder)
    if limits is not None:
        yield LIMITS, codec.encode_limits(limits)
    for attempt in contents.attempts:
        yield from _attempt_files(attempt, contents)
    yield from study_files(contents.folder, contents.environment_ids, contents.pseudonyms)


def _records(folder: SweepFolder) -> Iterator[tuple[Attempt, Record]]:
    """Every finished attempt, in the order of names in a bundle; one without an outcome is no record."""
    for attempt in sorted(all_attempts(folder), key=lambda one: f"{one.point_id}/attempt-{one.number}/"):
        try:
            yield attempt, read_record(attempt, folder.name)
        except FileNotFoundError:
            continue


def _attempt_files(attempt: Attempt, contents: Contents) -> Iterator[tuple[str, bytes]]:
    record = read_record(attempt, contents.folder.name)
    names = (
        (ENVIRONMENT, OUTCOME, POINT) if record.result.steps is None else (ENVIRONMENT, OUTCOME, POINT, STEPS)
    )
    files = {name: read_file(attempt.path / name, MAX_STEPS_BYTES) for name in names}
    if contents.pseudonyms is not None:
        files |= _without_names(files, record, attempt.path, contents.pseudonyms)
    files |= _trial_file(attempt, record, contents.pseudonyms)
    for name in sorted(files):
        yield attempt_name(attempt.point_id, attempt.number, name), files[name]


def _trial_file(attempt: Attempt, record: Record, pseudonyms: Pseudonyms | None) -> dict[str, bytes]:
    """The windows run at the point, if any; they name nothing but their record and its environment."""
    trials, refused = read_trials(SweepFolder(attempt.sweep_path.parent, attempt.sweep_path.name), [record])
    if refused:
        raise refused[0]
    trial = trials.get(record.record_id)
    if trial is None:
        return {}
    environment_here = _environment(record.environment, pseudonyms).environment_id
    return {VERIFICATION: encode_trial(replace(trial, environment_id=environment_here))}


def _without_names(
    files: Mapping[str, bytes], record: Record, path: Path, pseudonyms: Pseudonyms
) -> dict[str, bytes]:
    """The files of an attempt with pseudonyms, and an outcome that vouches for these bytes.

    Steps are encoded anew: whatever else their file held stays here.
    """
    environment = _environment(record.environment, pseudonyms)
    changed = {ENVIRONMENT: codec.encode_environment(environment)}
    if record.result.steps is not None:
        from saih.store.steps_file import encode_steps  # noqa: PLC0415 - HDF5 is slow to load

        changed[STEPS] = encode_steps(record.result.steps)
    note = codec.decode_outcome(files[OUTCOME], path / OUTCOME)
    changed[OUTCOME] = codec.encode_outcome(
        replace(
            note,
            environment_id=environment.environment_id,
            reason=pseudonyms.text(note.reason),
            stop_reason=pseudonyms.text(note.stop_reason),
            notes=_notes(note.notes, pseudonyms),
            sha256=dict(note.sha256)
            | {name: hashlib.sha256(data).hexdigest() for name, data in changed.items()},
        )
    )
    return changed


def _environment(environment: Environment, pseudonyms: Pseudonyms | None) -> Environment:
    if pseudonyms is None:
        return environment
    facts = {pseudonyms.fact(key): pseudonyms.fact(text) for key, text in environment.facts.items()}
    return Environment(
        facts=facts, notes=_notes(environment.notes, pseudonyms), environment_id=environment_id(facts)
    )


def _notes(notes: Mapping[str, str], pseudonyms: Pseudonyms) -> dict[str, str]:
    return {pseudonyms.text(key): pseudonyms.note(key, notes[key]) for key in sorted(notes)}


def _names_of(record: Record) -> Names:
    """The hosts, jobs and users that a record names."""
    said = (record.result.reason, record.result.stop_reason, *record.environment.facts.values())
    noted = names_in(record.environment.notes).joined(names_in(record.result.notes))
    return noted.joined(Names(users=users_in(said)))

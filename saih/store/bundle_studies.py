"""The studies of a sweep as they leave its site: names replaced where asked."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from saih.domain.study import Findings, Validation
from saih.store.bundle_anonymity import Pseudonyms
from saih.store.bundle_layout import study_name
from saih.store.study_file import SEARCH_ID, encode_search, encode_validation, read_studies
from saih.store.sweep_folder import SweepFolder


def study_files(
    folder: SweepFolder, environment_ids: Mapping[str, str], pseudonyms: Pseudonyms | None
) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each study, by name; ``environment_ids`` are those of the records, here and there.

    A study that was run in an environment without a record is left out: it would tell of another machine.

    Raises:
        DamagedData: when one does not verify.
    """
    studies, refused = read_studies(folder)
    if refused:
        raise refused[0]
    for subject_id, validation in sorted(studies.validations.items()):
        if validation.environment_id in environment_ids:
            there = environment_ids[validation.environment_id]
            yield study_name(subject_id), encode_validation(_validation(validation, there, pseudonyms))
    search = studies.search
    if search is not None and search.environment_id in environment_ids:
        there = environment_ids[search.environment_id]
        frontier = search.frontier
        if pseudonyms is not None:
            frontier = replace(
                frontier, subject=pseudonyms.text(frontier.subject), method=pseudonyms.text(frontier.method)
            )
        moved = replace(search, environment_id=there, frontier=frontier)
        yield study_name(SEARCH_ID), encode_search(moved)


def _validation(validation: Validation, there: str, pseudonyms: Pseudonyms | None) -> Validation:
    moved = replace(validation, environment_id=there)
    return (
        moved if pseudonyms is None else replace(moved, findings=_without_names(moved.findings, pseudonyms))
    )


def _without_names(findings: Findings, pseudonyms: Pseudonyms) -> Findings:
    """Statements may name the paths of damaged files."""
    gates = tuple(replace(gate, statement=pseudonyms.text(gate.statement)) for gate in findings.gates)
    return replace(findings, subject=pseudonyms.text(findings.subject), gates=gates)

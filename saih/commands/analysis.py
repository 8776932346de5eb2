"""A folder of results to its analysis. Apart from the plans: the analyzer takes a second to load."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from saih.analyzer.analysis import analyze
from saih.analyzer.normality import place
from saih.analyzer.study import with_studies
from saih.analyzer.verification import with_verifications
from saih.analyzer.what_if import Evidence
from saih.analyzer.what_if_savings import savings
from saih.commands.adaptive_rest import left_out
from saih.commands.side_by_side import side_by_side
from saih.commands.stage import plan_of, stored_sweep
from saih.domain.ceiling import Ceilings
from saih.domain.errors import DamagedData, UsageError
from saih.domain.record import Record
from saih.domain.trend import Analysis
from saih.interchange.corpus import efficiencies, submissions
from saih.store.bundle_origin import ceilings_root, read_origin
from saih.store.ceilings_file import read_ceilings
from saih.store.study_file import read_studies
from saih.store.sweep_folder import Damage, SweepFolder, read_records
from saih.store.verification_file import read_trials


def analysis_of(folder: SweepFolder, data_folder: Path) -> tuple[Analysis, tuple[str, ...]]:
    """The analysis of a folder of results, and what does not verify in it, one sentence each."""
    plan = plan_of(folder, data_folder)
    records, damages = read_records(folder)
    if damages and not records:
        raise DamagedData(damages[0].problem, damages[0].remedy)
    if not records:
        raise UsageError(
            f"the sweep {folder.name} has no finished point yet", f"run `saih sweep {folder.name}` first."
        )
    tried = {record.point.point_id for record in records}
    planned = {planned.point.point_id for planned in plan.points}
    ceilings, refused = _ceilings(ceilings_root(folder), records)
    rest, unknown = left_out(folder, plan, tried)
    analysis = analyze(
        folder.name,
        records,
        ceilings,
        [*(dropped for dropped in plan.dropped if dropped.point.point_id not in tried), *rest],
        len(planned | tried) - len(rest),
        rank_ladder=stored_sweep(folder).rank_ladder,
        each=side_by_side,
    )
    origin = read_origin(folder)
    if origin is not None:
        analysis = replace(analysis, warnings=(origin.statement, *analysis.warnings))
    analysis = replace(analysis, normality=place(analysis, submissions(), efficiencies()))
    trials, unverified = read_trials(folder, records)
    analysis = with_verifications(analysis, records, trials)
    studies, unread = read_studies(folder)
    analysis = with_studies(analysis, studies)
    analysis = replace(analysis, savings=savings(Evidence(analysis=analysis, records=records)))
    errors: list[Damage | DamagedData] = [*damages, *refused, *unverified, *unread, *unknown]
    if errors:
        analysis = replace(analysis, warnings=(_left_out(len(errors)), *analysis.warnings))
    return analysis, tuple(f"{error.problem} {error.remedy}" for error in errors)


def exit_code_of(damages: Sequence[str]) -> int:
    """The exit code of a command whose output is made from what verifies: 4 when something does not."""
    return DamagedData.exit_code if damages else 0


def _left_out(num_files: int) -> str:
    """What a reader of the report must know, who does not see which files they are."""
    if num_files == 1:
        return "1 file of the results does not verify; what it holds takes no part."
    return f"{num_files} files of the results do not verify; what they hold takes no part."


def _ceilings(root: Path, records: tuple[Record, ...]) -> tuple[list[Ceilings], list[DamagedData]]:
    """The ceilings of every placement and environment that was measured, and which do not verify."""
    asked = {
        (record.environment.environment_id, record.point.placement.seats_label): record for record in records
    }
    found, refused = [], []
    for record in asked.values():
        try:
            found.append(read_ceilings(root, record.environment.environment_id, record.point.placement))
        except DamagedData as error:
            refused.append(error)
    return [ceilings for ceilings in found if ceilings is not None], refused

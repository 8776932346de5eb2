"""A folder of results and a scenario to forecasts."""

from saih.analyzer.what_if import Evidence, what_if
from saih.analyzer.what_if_sizes import unknown_start
from saih.commands.stage import stored_sweep
from saih.domain.errors import UsageError
from saih.domain.trend import Analysis
from saih.domain.what_if import Scenario, WhatIf
from saih.store.sweep_folder import SweepFolder, read_records


def foresee(folder: SweepFolder, analysis: Analysis, scenario: Scenario) -> WhatIf:
    """Every measured point of the analysis of this folder under the scenario.

    Raises:
        UsageError: when no point was measured, or none is at the rung that the scenario begins at.
    """
    if not analysis.points:
        raise UsageError(
            f"the sweep {folder.name} has no completed point to begin from",
            f"`saih status {folder.name}` says what became of its points.",
        )
    if scenario.growth is not None:
        reason = unknown_start(analysis, scenario.growth)
        if reason:
            raise UsageError(reason, "begin at one of these.")
    records, _ = read_records(folder)
    ladder = stored_sweep(folder).rank_ladder
    return what_if(Evidence(analysis=analysis, records=records, rank_ladder=ladder), scenario)

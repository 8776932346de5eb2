"""An analysis as one text for a terminal: findings first, then the map, plots, points and laws."""

from saih.domain.quantity import NO_BREAK
from saih.domain.trend import Analysis
from saih.reports.energy_words import energy_lines
from saih.reports.execution_words import gain_lines
from saih.reports.rung_labels import told_apart
from saih.reports.study_text import study_lines
from saih.reports.terminal import head_lines, points_lines, scaling_lines, unmeasured_lines
from saih.reports.terminal_map import LETTERS, legend_lines, map_lines
from saih.reports.terminal_trends import laws_lines, plots_lines
from saih.reports.verification_words import verification_lines


def analysis_text(analysis: Analysis, width: int = 80) -> str:
    """What a reader should take away, then everything that it rests on, in lines of ``width`` columns."""
    shorter, _ = told_apart(analysis)
    map_ = map_lines(shorter, width)
    letters = {LETTERS[point.diagnosis.limit] for point in analysis.points}
    parts = (
        head_lines(analysis, width),
        map_ or legend_lines(sorted(letters), width),
        plots_lines(shorter, width),
        points_lines(analysis, width),
        gain_lines(shorter, width),
        verification_lines(analysis, width),
        study_lines(analysis, width),
        unmeasured_lines(analysis, width),
        scaling_lines(analysis, width),
        laws_lines(shorter, width),
        energy_lines(shorter, width),
    )
    return "\n\n".join("\n".join(part) for part in parts if part).replace(NO_BREAK, " ")

"""What studies found, put beside the points whose problems they are about."""

from dataclasses import replace

from saih.domain.study import Studies, subject_id_of
from saih.domain.trend import Analysis


def with_studies(analysis: Analysis, studies: Studies) -> Analysis:
    """The analysis with the validation of each point's problem, and with what a search found."""
    points = tuple(
        replace(point, validation=studies.validations.get(subject_id_of(point.point)))
        for point in analysis.points
    )
    return replace(analysis, points=points, search=studies.search)

"""Whether a number is normal: headline figures against local ceilings and against public figures.

Local ceilings bound what is possible here. Public figures say what others reached, at one problem only: a
point that asks something else is not held against them.
"""

from collections.abc import Sequence

from saih.analyzer.local_figures import local_figures
from saih.analyzer.public_figures import public_figures
from saih.domain.normality import Placed
from saih.domain.trend import Analysis
from saih.interchange.corpus import PublicEfficiency, Submission


def place(
    analysis: Analysis, submissions: Sequence[Submission], efficiencies: Sequence[PublicEfficiency]
) -> tuple[Placed, ...]:
    """Every headline figure that ``analysis`` has, local ceilings first; empty without points.

    Public figures are of training: where nothing is trained there are none.
    """
    if not analysis.points:
        return ()
    ceilings = {found.placement_label: found for found in analysis.ceilings}
    is_training = any(point.loss.is_learning is not None for point in analysis.points)
    return (
        *local_figures(analysis.points, ceilings),
        *(public_figures(analysis, submissions, efficiencies) if is_training else ()),
    )

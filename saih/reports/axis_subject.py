"""What grows along an axis, as the subject of a sentence."""

from saih.domain.trend import Trend
from saih.reports.label import shortened

_SUBJECTS = {"data": "Data", "model": "Model"}
_MOST = 48


def axis_subject(trend: Trend) -> str:
    """``Data``, ``Model``, or what another axis counts, such as ``Time of 1 MB on a link``."""
    said = trend.size_label.partition(" [")[0] or trend.axis
    return _SUBJECTS.get(trend.axis) or shortened(f"{said[:1].upper()}{said[1:]}", _MOST)

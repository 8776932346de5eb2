"""How sentences on figures name a point."""

from saih.domain.trend import PointSummary


def point_words(point: PointSummary) -> str:
    """Its rungs, such as ``64^3 x 4, 32 samples, width 16, depth 1``."""
    return ", ".join(point.labels[axis] for axis in sorted(point.labels))

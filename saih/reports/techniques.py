"""What a workload switches besides sizes, where that tells points apart."""

from collections.abc import Sequence

from saih.domain.trend import PointSummary


def telling_techniques(point: PointSummary, points: Sequence[PointSummary]) -> list[str]:
    """Such as ``padding left out``: what is switched at a point, and otherwise at some other one."""
    return [
        f"{name} {state}"
        for name, state in point.techniques.items()
        if any(other.techniques.get(name) != state for other in points)
    ]

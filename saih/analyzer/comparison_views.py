"""The mean ratio of two systems in every view, and why a view is absent."""

from collections.abc import Mapping, Sequence

from saih.analyzer.comparison_matching import Match
from saih.analyzer.comparison_ratio import LogRatio, mean_ratio
from saih.domain.comparison import View, ViewRatio
from saih.domain.system import System

_LACKS = {
    View.NODE: "the number of nodes is not known",
    View.GPU: "no GPU took part, or their number is not known",
    View.RANK: "the number of ranks is not known",
    View.JOULE: "energy was not measured",
    View.SHARE: "no measured peak",
    View.PRICE: "no price was given (--price)",
}
_FIELDS = {
    View.NODE: "num_nodes",
    View.GPU: "num_gpus",
    View.RANK: "num_ranks",
    View.JOULE: "joules_per_sample",
    View.SHARE: "share_of_peak",
}
Ratios = Sequence[Mapping[View, LogRatio]]


def view_means(ratios: Ratios) -> dict[View, LogRatio]:
    """The mean ratio of each view over the points that have it."""
    means = {view: mean_ratio([one[view] for one in ratios if view in one]) for view in View}
    return {view: mean for view, mean in means.items() if mean is not None}


def view_ratio(
    view: View, mean: LogRatio | None, p_value: float, matched: Sequence[Match], sides: tuple[System, System]
) -> ViewRatio:
    """One row of the table of views; ``p_value`` is corrected for everything that is tested."""
    return ViewRatio(
        view=view,
        ratio=mean.interval if mean is not None else None,
        num_points=mean.count if mean is not None else 0,
        is_different=mean is not None and p_value < 1 - mean.interval.level,
        remark=_remark(view, mean, matched, sides),
    )


def _remark(view: View, mean: LogRatio | None, matched: Sequence[Match], sides: tuple[System, System]) -> str:
    if not matched:
        return "no matched point"
    if mean is not None and mean.count == len(matched):
        return ""
    lacking = _lacking(view, matched, sides)
    where = f" on {lacking[0]}" if len(lacking) == 1 else ""
    reason = f"{_LACKS[view]}{where}" if lacking else "energy was counted of other parts"
    if mean is None:
        return reason
    return f"on {mean.count} of {len(matched)} matched points: {reason} at the others"


def _lacking(view: View, matched: Sequence[Match], sides: tuple[System, System]) -> list[str]:
    """Names of the systems that lack what the view needs at some point."""
    points = [
        [point for match in matched for point in match.a],
        [point for match in matched for point in match.b],
    ]
    field = _FIELDS.get(view, "num_nodes")
    return [
        system.name
        for system, measured in zip(sides, points, strict=True)
        if not all(getattr(point, field) for point in measured)
        or (view is View.PRICE and system.price is None)
    ]

"""What a search found: for each cost the member that learns best, and which of them nothing cheaper beats."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from augment.problem import ProblemError

LEVEL = 0.95
_T_QUANTILES = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""97.5 % quantile of Student's t for 1, 2, ... degrees of freedom."""
_NORMAL_QUANTILE = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean over seeds with its interval; both bounds are the mean where there is only one seed."""

    low: float
    value: float
    high: float
    level: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Student's interval of the mean of ``values``, of which there must be one."""
        count, mean = len(values), statistics.fmean(values)
        if count == 1:
            return cls(low=mean, value=mean, high=mean, level=LEVEL, count=1)
        quantile = _T_QUANTILES[count - 2] if count - 2 < len(_T_QUANTILES) else _NORMAL_QUANTILE
        reach = quantile * statistics.stdev(values) / count**0.5
        return cls(low=mean - reach, value=mean, high=mean + reach, level=LEVEL, count=count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """The member that learnt best for one cost."""

    target_flops_per_sample: float
    flops_per_sample: float
    """Of one training step."""
    model: Mapping[str, int]
    """Sizes of the problem's model shape."""
    label: str
    settings: Mapping[str, float]
    """With which it learnt."""
    warm_start: str
    """The member that it was grown from; empty where it began anew."""
    seeds: tuple[int, ...]
    losses: tuple[float, ...]
    """One for each seed."""
    is_on_front: bool = False
    """Whether no rung that costs less, or as much, has a lower mean loss."""

    @property
    def loss(self) -> Interval:
        """Mean loss over seeds."""
        return Interval.of(self.losses)

    @property
    def told(self) -> dict[str, Any]:  # Any: plain JSON values
        """As plain JSON values."""
        return {**asdict(self), "seeds": [*self.seeds], "losses": [*self.losses], "loss": asdict(self.loss)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The outcome of a search, cheapest rung first."""

    subject: str
    """What was learnt from."""
    metric: str
    method: str
    num_trials: int
    num_pruned: int
    rungs: tuple[Rung, ...]
    baselines: Mapping[str, float] = field(default_factory=dict)
    """Losses of predictors that are no network, by name."""
    deepened: tuple[Rung, ...] = ()
    """Networks that were only deepened, as a warning."""

    def __post_init__(self) -> None:
        ordered = sorted(self.rungs, key=lambda rung: rung.flops_per_sample)
        object.__setattr__(self, "rungs", tuple(_marked(rung, ordered) for rung in ordered))

    @property
    def told(self) -> dict[str, Any]:  # Any: plain JSON values
        """As plain JSON values, which ``front_of`` reads."""
        return {
            "subject": self.subject,
            "metric": self.metric,
            "method": self.method,
            "num_trials": self.num_trials,
            "num_pruned": self.num_pruned,
            "baselines": dict(self.baselines),
            "rungs": [rung.told for rung in self.rungs],
            "deepened": [rung.told for rung in self.deepened],
        }


def front_of(told: Mapping[str, Any]) -> Front:  # Any: plain JSON values
    """The front that was told so.

    Raises:
        ProblemError: when it is none.
    """
    try:
        parts = {
            **told,
            "rungs": tuple(_rung_of(rung) for rung in told["rungs"]),
            "deepened": tuple(_rung_of(rung) for rung in told["deepened"]),
        }
        return Front(**parts)
    except (KeyError, TypeError, ValueError) as error:
        raise ProblemError(f"the outcome of a search is damaged ({error}); search again.") from error


def _rung_of(told: Mapping[str, Any]) -> Rung:  # Any: plain JSON values
    parts = {name: value for name, value in told.items() if name != "loss"}
    return Rung(**{**parts, "seeds": tuple(told["seeds"]), "losses": tuple(told["losses"])})


def _marked(rung: Rung, rungs: Sequence[Rung]) -> Rung:
    cheaper = [other for other in rungs if other.flops_per_sample <= rung.flops_per_sample]
    lowest = min(other.loss.value for other in cheaper)
    return replace(rung, is_on_front=rung.loss.value <= lowest)

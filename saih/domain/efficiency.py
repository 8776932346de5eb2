"""How efficiently the ranks of a point work together, in the hierarchy of POP."""

from dataclasses import dataclass

from saih.domain.interval import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class PopEfficiency:
    """Shares of all rank-time, 1 is ideal; each is the product of those named after it.

    POP standard metrics (https://pop-coe.eu/node/69): parallel efficiency = load balance x communication,
    communication = serialisation x transfer. Useful time is a step without its exposed exchange and without
    waiting for input.
    """

    num_ranks: int
    parallel: Interval
    """Mean useful time of the ranks over the step."""
    load_balance: Interval
    """Mean over largest useful time, over all steps."""
    communication: Interval
    """Largest useful time over the step."""
    serialisation: Interval
    """Largest useful time over the step on a network that transfers in no time."""
    transfer: Interval
    """That step over the measured one."""

"""How efficiently the ranks of a point work together, in the hierarchy of POP."""

from dataclasses import dataclass

from saih.domain.interval import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class PopEfficiency:
    """Shares of all rank-time, 1 is ideal: parallel = load balance x communication, and so on down.

    POP standard metrics (https://pop-coe.eu/node/69). Useful time is a step without its exposed exchange and
    without waiting for input or for other stages; these waits show as serialisation.
    """

    num_ranks: int
    useful_ns: Interval
    """Useful time of a step, mean over ranks and steps."""
    parallel: Interval
    """Mean useful time of the ranks over the duration: load balance x communication."""
    load_balance: Interval
    """Mean over largest useful time of a rank, each over all steps."""
    communication: Interval
    """Largest useful time of a rank over the duration: serialisation x transfer."""
    serialisation: Interval
    """Largest useful time of a rank over the duration on a network that transfers in no time."""
    transfer: Interval
    """That duration over the measured one."""
    pipeline: Interval | None = None
    """Part of serialisation: what the rank that decides each step does not wait for other stages, as a share
    of the duration on a network that transfers in no time. None where no stage waits for another."""

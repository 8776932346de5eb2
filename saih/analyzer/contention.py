"""Whether a point was contended: whether others had the processors, so that its work says little."""

from dataclasses import dataclass

import numpy as np

from saih.analyzer.critical_path import CriticalPath
from saih.domain.contention import Contention, Pressure
from saih.domain.quantity import percent
from saih.domain.trend import Limit

GREATEST_SIGMA = 1.2
"""Work may take so many times the time that it would with a processor of its own; beyond, it is contended."""
GREATEST_PRESSURE = 0.2
"""Share of the time in which some task of the machine may wait for a processor."""
GREATEST_OTHERS = 0.05
"""Share of the processors of the ranks that other processes may have."""
SURE_SIGMA = 1.05
"""Work that takes no longer than this was not held up, whoever else waited: pressure counts every task."""
CLASSES_OF_WORK = (Limit.COMPUTE, Limit.MEMORY, Limit.LAUNCH, Limit.IMBALANCE, Limit.UNEXPLAINED)
"""What cannot be told of a contended point."""
_SMALL = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What is known of others on the processors."""

    is_contended: bool
    sigma: float | None
    """Work over work with a processor of its own; None where run delay was not recorded."""
    sentences: tuple[str, ...]


def contention_gate(path: CriticalPath, pressure: Contention) -> Gate:
    """Whether work may be judged. ``pressure`` is what the record says of the whole machine."""
    sigma = _sigma(path)
    some, others = pressure.share(Pressure.CPU_SOME), pressure.share(Pressure.OTHERS)
    texts = (_sigma_words(sigma), _pressure_words(some), _others_words(others), *_other_words(pressure))
    said = [text for text in texts if text]
    is_contended = is_slowed(sigma) or is_pressed(some, sigma, None if pressure.is_held else others)
    if is_contended:
        said.append(
            "The point is contended: its compute, memory, launch and balance say as much of the neighbours "
            "as of it, and are not judged. Measure it again on processors of its own."
        )
    return Gate(is_contended=is_contended, sigma=sigma, sentences=tuple(said))


def is_slowed(sigma: float | None) -> bool:
    """Whether the work itself waited for processors."""
    return sigma is not None and sigma > GREATEST_SIGMA


def is_pressed(some: float | None, sigma: float | None, others: float | None) -> bool:
    """Whether tasks of others waited for the processors of the ranks, as far as it is known.

    Pressure counts every task, those of the ranks too: where these fill their processors, each thread that
    wakes for a moment makes another one wait. What other processes had of the processors tells them apart,
    but where a quota or a host held these back: ``others`` is None then, as where it is not known.
    """
    if some is None or some <= GREATEST_PRESSURE or (sigma is not None and sigma <= SURE_SIGMA):
        return False
    return others is None or others > GREATEST_OTHERS


def worker_delay(pressure: Contention) -> float:
    """Share of time that threads beside the stepping one waited for a processor, beyond what that one did."""
    beside, own = pressure.share(Pressure.WORKER_DELAY), pressure.share(Pressure.RUN_DELAY)
    return 0.0 if beside is None or own is None else min(max(beside - own, 0.0), 1.0)


def _sigma(path: CriticalPath) -> float | None:
    if not path.has_delays:
        return None
    useful = float(np.sum(list(path.work.values())) + path.imbalance.sum())
    return 1 + float(path.starved.sum()) / useful if useful > 0 else None


def _sigma_words(sigma: float | None) -> str:
    if sigma is None:
        return "Whether work waited for a processor was not recorded, so contention cannot be told from work."
    if sigma < 1 + _SMALL:
        return ""
    return f"Work took {sigma:.2f} times as long as with a processor of its own."


def _pressure_words(some: float | None) -> str:
    if some is None or some <= GREATEST_PRESSURE:
        return ""
    return f"In {percent(min(some, 1.0))} of the time some task of the machine waited for a processor."


def _others_words(others: float | None) -> str:
    if others is None or others < _SMALL:
        return ""
    return f"Processes other than the ranks had {percent(others)} of their processors."


def _other_words(pressure: Contention) -> list[str]:
    throttled, stolen = pressure.share(Pressure.THROTTLED), pressure.share(Pressure.STOLEN)
    said = []
    if throttled is not None and throttled > _SMALL:
        said.append(
            f"A processor quota held threads back, {throttled:.2g} s for each second (all cores together)."
        )
    if stolen is not None and stolen > _SMALL:
        said.append(f"The host of this virtual machine took {percent(stolen)} of its processors away.")
    for kind, name in ((Pressure.GPU_POWER, "its limit of power"), (Pressure.GPU_THERMAL, "heat")):
        held = pressure.share(kind)
        if held is not None and held > _SMALL:
            said.append(
                f"The clock of a GPU was held down by {name} in {percent(min(held, 1.0))} of the time."
            )
    return said

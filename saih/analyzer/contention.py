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
    some = pressure.share(Pressure.CPU_SOME)
    is_slowed = sigma is not None and sigma > GREATEST_SIGMA
    is_pressed = some is not None and some > GREATEST_PRESSURE and (sigma is None or sigma > SURE_SIGMA)
    said = [text for text in (_sigma_words(sigma), _pressure_words(some), *_other_words(pressure)) if text]
    if is_slowed or is_pressed:
        said.append(
            "The point is contended: its compute, memory, launch and balance say as much of the neighbours "
            "as of it, and are not judged. Measure it again on processors of its own."
        )
    return Gate(is_contended=is_slowed or is_pressed, sigma=sigma, sentences=tuple(said))


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

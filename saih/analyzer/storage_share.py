"""How much of making a batch is reading from storage: reading that the page cache does not serve."""

import numpy as np
from numpy.typing import NDArray

from saih.domain.record import Meter, Phase, Steps

Array = NDArray[np.float64]
LEAST_STORAGE = 0.1
"""A batch of which storage gave less than this share of its bytes came from the page cache."""


def storage_shares(steps: Steps, input_bytes: int) -> Array:
    """For each row the share of producing its batches that the loader stood still for storage.

    The loader is taken to read where it is neither on a processor nor ready for one while it makes a batch
    that storage gave at least ``LEAST_STORAGE`` of. Decoding, reading from the page cache and waiting for a
    processor are not reading. 0 where meters were not recorded.
    """
    standing, produce = standing_still(steps), _produce(steps)
    if standing is None or produce is None:
        return np.zeros(len(steps.step_ns))
    cold = np.where(is_from_storage(steps, input_bytes), standing, 0.0).sum(axis=1)
    whole = produce.sum(axis=1)
    return np.asarray(np.divide(cold, whole, out=np.zeros_like(whole), where=whole > 0))


def is_from_storage(steps: Steps, input_bytes: int) -> NDArray[np.bool_]:
    """Whether each batch [R, S] came from storage rather than from the page cache."""
    read = steps.meters.get(Meter.PRODUCE_STORAGE)
    if read is None:
        return np.zeros((len(steps.step_ns), steps.num_steps), dtype=np.bool_)
    return np.asarray(np.asarray(read, dtype=np.float64) >= max(LEAST_STORAGE * input_bytes, 1.0))


def standing_still(steps: Steps) -> Array | None:
    """Time of making each batch [R, S] in which the loader was neither on a processor nor ready for one."""
    produce = _produce(steps)
    on_cpu, delay = steps.meters.get(Meter.PRODUCE_ON_CPU), steps.meters.get(Meter.PRODUCE_RUN_DELAY)
    if produce is None or on_cpu is None:
        return None
    waiting = np.zeros_like(produce) if delay is None else np.asarray(delay, dtype=np.float64)
    return np.asarray(np.clip(produce - np.asarray(on_cpu, dtype=np.float64) - waiting, 0.0, produce))


def _produce(steps: Steps) -> Array | None:
    rows = steps.duration_ns.get(Phase.INPUT_PRODUCE)
    return None if rows is None else np.asarray(rows, dtype=np.float64)

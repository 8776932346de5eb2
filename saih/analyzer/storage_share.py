"""How much of making a batch is reading from storage: reading that the page cache does not serve."""

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.step_table import table_of
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
    standing = standing_still(steps)
    if standing is None:
        return np.zeros(len(steps.step_ns))
    cold = np.where(is_from_storage(steps, input_bytes), standing, 0.0).sum(axis=1)
    whole = table_of(steps).phases[Phase.INPUT_PRODUCE].sum(axis=1)
    return np.asarray(np.divide(cold, whole, out=np.zeros_like(whole), where=whole > 0))


def is_from_storage(steps: Steps, input_bytes: int) -> NDArray[np.bool_]:
    """Whether each batch [R, S] came from storage rather than from the page cache."""
    table = table_of(steps)
    read = table.meters.get(Meter.PRODUCE_STORAGE)
    if read is None:
        return np.zeros(table.whole.shape, dtype=np.bool_)
    return np.asarray(read >= max(LEAST_STORAGE * input_bytes, 1.0))


def standing_still(steps: Steps) -> Array | None:
    """Time of making each batch [R, S] in which the loader was neither on a processor nor ready for one."""
    table = table_of(steps)
    produce, on_cpu = table.phases.get(Phase.INPUT_PRODUCE), table.meters.get(Meter.PRODUCE_ON_CPU)
    if produce is None or on_cpu is None:
        return None
    waiting = table.meters.get(Meter.PRODUCE_RUN_DELAY, np.zeros_like(produce))
    return np.asarray(np.clip(produce - on_cpu - waiting, 0.0, produce))

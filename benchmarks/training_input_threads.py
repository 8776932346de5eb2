"""What 1, 2, 4 loader threads read and decode together, by the product's reader."""

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.training_input_counts import Counts
from cosmology.codec import default_codec
from cosmology.hdf5 import created, open_file
from cosmology.stored_counts import StoredCounts, chunk_of, create_counts
from saih.harness.loaders import Loaders
from saih.harness.prefetch import Prefetch

_ROWS = 4


def thread_rates(sample: Counts, numbers: Sequence[int], num_batches: int) -> dict[int, float]:
    """Unpacked bytes a second of so many loader threads, a sample a batch."""
    with tempfile.TemporaryDirectory(prefix="saih-input-") as name:
        path = Path(name) / "samples.h5"
        with created(path) as file:
            full = create_counts(file, (_ROWS, *sample.shape), chunk_of(sample.shape), default_codec())
            for row in range(_ROWS):
                full[row] = sample
        return {number: _rate(path, sample, number, num_batches) for number in numbers}


def num_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def _rate(path: Path, sample: Counts, number: int, num_batches: int) -> float:
    with open_file(path) as file:
        stored = StoredCounts(file["full"])

        def produce(step: int) -> Counts:
            into = np.empty(sample.shape, np.uint16)
            stored.read(step % _ROWS, into, is_checked_later=True)
            return into

        with Prefetch(produce) if number == 1 else Loaders(produce, number) as loader:
            for _ in range(2 * number):
                loader.take()
            start_s = time.perf_counter()
            for _ in range(num_batches):
                loader.take()
            return num_batches * sample.nbytes / (time.perf_counter() - start_s)

"""Which samples each rank reads at each step: a new order every epoch, the same on any number of ranks."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from augment.problem import ProblemError


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOrder:
    """Cuts each epoch's permutation into global batches, and those into one part for each rank.

    N ranks with batches of b see at each step exactly the samples that one rank with a batch of N b
    sees, in the same order. What does not fill a global batch waits for a later epoch, so no batch
    holds a sample twice.
    """

    seed: int
    num_samples: int
    batch_per_rank: int
    num_ranks: int

    def __post_init__(self) -> None:
        if self.global_batch > self.num_samples:
            raise ProblemError(
                f"a global batch of {self.num_ranks} ranks x {self.batch_per_rank} = {self.global_batch} "
                f"samples is more than the data set's {self.num_samples}; use more samples, fewer ranks, or "
                "a smaller batch."
            )

    @property
    def global_batch(self) -> int:
        """Samples of one step over all ranks."""
        return self.batch_per_rank * self.num_ranks

    def indices(self, step: int, rank: int) -> NDArray[np.int64]:
        """The samples of one rank at one step."""
        epoch, place = divmod(step, self.num_samples // self.global_batch)
        begin = place * self.global_batch + rank * self.batch_per_rank
        return _permutation(self.seed, epoch, self.num_samples)[begin : begin + self.batch_per_rank]


@lru_cache(maxsize=2)
def _permutation(seed: int, epoch: int, num_samples: int) -> NDArray[np.int64]:
    # PCG64 on a hashed pair: the same on every machine and in every version of numpy (NEP 19).
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, epoch))))
    return np.argsort(generator.random(num_samples), kind="stable")

"""The ranks that share every layer of one stage, and how a failure of one of them leaves none waiting.

All ranks of a stage make the same exchanges in the same order, so a rank that fails in the middle of a pass
must go on making them: it plays out the sums that are left with parts that are no numbers, and tells its
failure when the ranks agree on how the pass ended. They agree at its end, and before a gather, whose size
they compare. The first agreement that tells of a failure is the last of its pass, on all ranks.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from workloads.energon.mates import Mates
from workloads.energon.meter import Meter, unmetered
from workloads.energon.rank_errors import PassError, described
from workloads.energon.stage_message import Header, Kind, decoded, encoded
from workloads.transport.link_error import LinkError

_LARGE_BYTES = 1 << 26
"""From where on memory for a part is not taken for granted: there one more message costs nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSums:
    """What every rank of the stage sums in one pass, whatever happens to it."""

    key: int
    """Of the command, the same on all ranks."""
    count: int
    shape: tuple[int, int]
    """Rows and columns of each."""
    dtype: torch.dtype
    device: torch.device

    @property
    def part_bytes(self) -> int:
        """Of what one rank brings to one sum."""
        return math.prod(self.shape) * self.dtype.itemsize


class TensorGroup:
    """A ``TensorExchange`` among the ranks of one stage; without ``mates``, one rank that shares nothing."""

    def __init__(self, rank: int, mates: Mates | None = None, meter: Meter = unmetered) -> None:
        self._rank = rank
        self._mates = mates
        self._meter = meter
        self._planned: PlannedSums | None = None
        self._num_sums = 0

    def sum(self, part: Tensor) -> Tensor:
        """The sum of all ranks' parts, each of the same shape; ``part`` may be overwritten.

        Raises:
            ValueError: for a part that is not as planned, before others see it.
            LinkError: when another rank is gone.
        """
        self._check(part)
        if self._mates is None:
            self._num_sums += 1
            return part
        self._meter("compute")
        whole = self._mates.sum(part)
        self._num_sums += 1  # only now: what fails before the others are met is played out
        self._meter("communication")
        return whole

    def gather(self, part: Tensor, columns: Sequence[int]) -> Tensor:
        """All parts [rows, columns] beside each other; ``columns`` of each rank, in its order.

        Raises:
            ValueError: for a part that has other columns than it should.
            PassError: when a rank has failed before, or has other rows; on all ranks.
            LinkError: when another rank is gone.
        """
        if self._mates is None:
            return part
        own = self._mates.ranks.index(self._rank)
        if part.shape[-1] != columns[own] or len(columns) != len(self._mates.ranks):
            raise ValueError(f"columns {part.shape[-1]} cannot be gathered as part {own} of {list(columns)}")
        self._meter("compute")
        own_rows = Header(kind=Kind.ROWS, key=self._key, num_rows=part.shape[0], dtype=part.dtype)
        whole = self._mates.gather(part, columns, partial(self._agree, own_rows))
        self._meter("communication")
        return whole

    def attempt(self, work: Callable[[], Tensor], planned: PlannedSums) -> Tensor:
        """What ``work`` gives, where it succeeds on all ranks of the stage.

        Raises:
            PassError: where it fails on one, on all ranks; they can go on with the next pass.
            LinkError: when another rank is gone.
        """
        self._planned, self._num_sums = planned, 0
        reserve = self._reserved(planned)
        result, failure = None, ""
        try:
            result = work()
        except (LinkError, PassError):
            raise  # nobody to tell, or everybody knows
        except Exception as error:  # whatever it is, the others must not wait for this rank
            failure = described(error, self._rank)
        self._meter("compute")
        # Only here, where what the failed pass held on to is free again.
        if failure:
            self._play_out(planned, reserve)
        kind = Kind.FAILED if failure else Kind.ROWS
        self._agree(Header(kind=kind, key=planned.key, failure=failure))
        self._meter("communication")
        if result is None:
            raise PassError(f"a pass gave nothing (rank {self._rank})")
        return result

    @property
    def _key(self) -> int:
        return 0 if self._planned is None else self._planned.key

    def _check(self, part: Tensor) -> None:
        planned = self._planned
        if planned is None:
            return
        if self._num_sums == planned.count:
            raise ValueError(f"a pass makes more than the {planned.count} sums that its stage announced")
        if part.shape != planned.shape or part.dtype != planned.dtype:
            raise ValueError(
                f"a part of {list(part.shape)} {part.dtype} cannot be summed in a pass of "
                f"{list(planned.shape)} {planned.dtype}"
            )

    def _reserved(self, planned: PlannedSums) -> Tensor | None:
        """Memory for playing out, where it may not be had later; the ranks agree that all of them have it."""
        if self._mates is None or planned.part_bytes < _LARGE_BYTES:
            return None
        reserve, failure = None, ""
        try:
            reserve = torch.empty(planned.shape, dtype=planned.dtype, device=planned.device)
        except (MemoryError, RuntimeError) as error:  # as torch says it on the host and on a GPU
            failure = described(error, self._rank)
        self._meter("compute")
        kind = Kind.FAILED if failure else Kind.ROWS
        self._agree(Header(kind=kind, key=planned.key, failure=failure))
        self._meter("communication")
        return reserve

    def _play_out(self, planned: PlannedSums, reserve: Tensor | None) -> None:
        if self._mates is None:
            return
        for _ in range(planned.count - self._num_sums):
            if reserve is None:
                nothing = torch.full(planned.shape, torch.nan, dtype=planned.dtype, device=planned.device)
            else:
                nothing = reserve.fill_(torch.nan)
            self.sum(nothing)

    def _agree(self, own: Header) -> None:
        """Tell the other ranks how the pass goes here, and raise where it fails anywhere."""
        if self._mates is None:
            if own.kind is Kind.FAILED:
                raise PassError(own.failure)
            return
        headers = [decoded(each) for each in self._mates.tell(encoded(own))]
        if any(header.key != own.key for header in headers):
            keys = dict(zip(self._mates.ranks, (header.key for header in headers), strict=True))
            raise LinkError(f"ranks of one stage are at different commands: {keys}")
        for header in headers:
            if header.kind is Kind.FAILED:
                raise PassError(header.failure)
        if len({(header.num_rows, header.dtype) for header in headers}) > 1:
            rows = [header.num_rows for header in headers]
            raise PassError(f"ranks {list(self._mates.ranks)} want to gather {rows} rows, which differ")

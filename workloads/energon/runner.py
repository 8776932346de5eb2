"""One rank of an engine at work: it takes what the stage before gives, computes, hands over without waiting.

A command that fails on any rank fails alone: the ranks of its stage learn of it, the later stages are told in
place of the rows, and the last ones answer with the failure. The next command finds all as it should be.
"""

from collections.abc import Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from workloads.energon.command import Answer, Command
from workloads.energon.rank_errors import PassError
from workloads.energon.ranks import Ranks
from workloads.energon.stage_message import Message
from workloads.energon.tensor_group import PlannedSums
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.kv_cache import CachePool, SequenceCache
from workloads.transformer.layout import Layout
from workloads.transformer.place import Place
from workloads.transformer.want import Want
from workloads.transport.link_error import LinkError


class PipelineStage(Protocol):
    """The layers that a rank holds, or its part of them."""

    @property
    def architecture(self) -> TransformerArchitecture:
        """Of the whole model."""

    @property
    def place(self) -> Place:
        """Where and in which precision it computes."""

    @property
    def num_sums(self) -> int:
        """Sums over the ranks of the stage that every forward makes."""

    def forward(
        self, rows: Tensor, layout: Layout, want: Want, caches: Sequence[SequenceCache] | None = None
    ) -> Tensor:
        """Hidden states [rows, hidden] for the next stage, or what is wanted; never a tensor given before."""


class StageRunner:
    """Runs the commands of one rank, in their order. Only one thread may use it."""

    def __init__(self, stage: PipelineStage, ranks: Ranks, caches: CachePool | None = None) -> None:
        self._stage = stage
        self._ranks = ranks
        self._caches = caches

    def do(self, command: Command) -> Answer | None:
        """One command; ranks of the last stage give the answer.

        Raises:
            LinkError: when another rank is gone, and with it the engine.
        """
        self._release(command.released_ids)
        message = self._arrived(command)
        if not message.failure:
            with torch.inference_mode():
                message = self._worked(command, message)
        if message.failure:
            self._release(command.sequence_ids)
        if self._ranks.links.is_last:
            return Answer(key=command.key, rows=message.rows, failure=message.failure)
        self._ranks.links.give(message)
        return None

    def close(self) -> None:
        """Part from the other ranks, which do the same."""
        self._ranks.close()

    def _arrived(self, command: Command) -> Message:
        if self._ranks.links.is_first:
            return Message(key=command.key, rows=command.tokens, lost=command.lost)
        message = self._ranks.links.take()
        if message.key != command.key:
            raise LinkError(
                f"rank {self._ranks.rank} got rows of command {message.key} where {command.key} is next"
            )
        return message

    def _worked(self, command: Command, message: Message) -> Message:
        place = self._stage.place
        planned = PlannedSums(
            key=command.key,
            count=self._stage.num_sums,
            shape=(command.layout.num_rows, self._stage.architecture.hidden_size),
            dtype=place.dtype,
            device=place.device,
        )
        try:
            made = self._ranks.group.attempt(partial(self._forward, command, message, planned), planned)
        except PassError as error:
            return Message(key=command.key, rows=None, failure=str(error))
        return Message(key=command.key, rows=made)

    def _forward(self, command: Command, message: Message, planned: PlannedSums) -> Tensor:
        if message.lost:
            raise MemoryError(message.lost)
        rows = message.rows
        num_rows = 0 if rows is None else rows.shape[0]
        if rows is None or num_rows != command.layout.num_rows:
            raise ValueError(
                f"command {command.key} has {command.layout.num_rows} rows, but {num_rows} arrived"
            )
        caches = self._prepared(command)
        made = self._stage.forward(rows.to(self._stage.place.device), command.layout, command.want, caches)
        if self._ranks.links.is_last:
            return made.to("cpu")
        if made.shape != planned.shape or made.dtype != planned.dtype:
            raise ValueError(
                f"a stage made {list(made.shape)} {made.dtype} in place of {list(planned.shape)} "
                f"{planned.dtype}"
            )
        # Here, not where it is given: what fails here is told to the other ranks of the stage.
        return made.contiguous().to(self._ranks.links.device)

    def _prepared(self, command: Command) -> Sequence[SequenceCache] | None:
        if not command.sequence_ids:
            return None
        if self._caches is None:
            raise ValueError(f"command {command.key} keeps sequences, but there is no memory for caches")
        return self._caches.prepare(command.sequence_ids, command.layout)

    def _release(self, sequence_ids: Sequence[int]) -> None:
        if self._caches is not None and sequence_ids:
            self._caches.release(sequence_ids)

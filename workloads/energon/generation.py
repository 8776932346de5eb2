"""Generation on top of an engine: many requests share its passes, each gets the tokens it would get alone.

with launch(Path("checkpoints/gpt2")) as engine, Generator(engine) as generator:
    for token in generator.generate([464, 3290], max_new_tokens=20):
        print(token)
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol, Self

import torch
from torch import Tensor

from workloads.energon.assignment import Assignment
from workloads.energon.batch_rules import BatchRules, num_kept_tokens
from workloads.energon.errors import EngineClosed, EngineDead, EngineError, EngineTaken
from workloads.energon.generation_request import checked_request
from workloads.energon.request import Kept, Prompts
from workloads.energon.scheduler import NewToken, Pass, Scheduler, SchedulerStats
from workloads.energon.token_stream import Arrival, Generation
from workloads.protocol import ReadClock, no_clock
from workloads.transformer.kv_cache import BLOCK
from workloads.transformer.want import Want

_CLOSING_S = 5.0


class PassEngine(Protocol):
    """What does forward passes in the order in which it is asked: an engine."""

    @property
    def assignment(self) -> Assignment:
        """What its ranks are."""

    @property
    def keeper(self) -> threading.Lock:
        """Held by who names kept sequences, and counts on all memory for them."""

    def submit(self, tokens: Prompts, *, want: Want, kept: Kept) -> Future[Tensor]:
        """One pass; waits for room in the queue."""


def rules_for(engine: PassEngine, **limits: int) -> BatchRules:
    """The rules that fit an engine: its memory for keys and values, its stages and its layout.

    ``limits`` are others of ``BatchRules``.

    Raises:
        ProblemError: when its ``cache_bytes`` hold not one token.
    """
    assignment = engine.assignment
    held = num_kept_tokens(
        assignment.architecture,
        assignment.plan,
        cache_bytes=assignment.cache_bytes,
        element_bytes=getattr(torch, assignment.dtype).itemsize,
    )
    plan = assignment.plan
    fitting = {"num_kept_tokens": held, "block_tokens": BLOCK, "num_passes": plan.pipeline_parallel}
    return BatchRules(is_packed=plan.is_packed, **fitting | limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorStats:
    """What a generator does and did."""

    now: SchedulerStats
    num_passes: int
    num_rows: int
    """Tokens of all passes, those of prompts included."""


class Generator:
    """Generates for many callers at the same time; any thread may use it.

    An engine has one at a time: it counts on all memory for keys and values, and on its names of sequences.

    Raises:
        EngineTaken: while the engine has another one.
    """

    def __init__(
        self, engine: PassEngine, rules: BatchRules | None = None, clock: ReadClock = no_clock
    ) -> None:
        self.rules = rules_for(engine) if rules is None else rules
        if not engine.keeper.acquire(blocking=False):
            raise EngineTaken("the engine has a generator already; ask that one, or close it before.")
        self._engine = engine
        self._clock = clock
        self._scheduler = Scheduler(self.rules)
        self._generations: dict[int, Generation] = {}
        self._ending: Callable[[], EngineError] | None = None
        """Makes the error of those that come too late."""
        self._is_over = False
        self._num_passes = self._num_rows = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="energon generator", daemon=True)
        self._thread.start()

    @property
    def stats(self) -> GeneratorStats:
        """What it does now, and how much it did."""
        with self._changed:
            return GeneratorStats(
                now=self._scheduler.stats, num_passes=self._num_passes, num_rows=self._num_rows
            )

    def generate(
        self, prompt: Sequence[int], *, max_new_tokens: int, stop_ids: Sequence[int] = ()
    ) -> Generation:
        """Ask for what follows ``prompt``, each time the likeliest token: until a stop id, or enough of them.

        Raises:
            RequestTooLong: beyond the context of the model, or the memory for keys and values.
            RequestError: when it cannot be answered for another reason.
            QueueFull: when too many wait already.
            EngineDead: when a worker is gone.
            EngineClosed: when the generator or the engine was closed.
        """
        request = checked_request(self._engine.assignment.architecture, prompt, max_new_tokens, stop_ids)
        with self._changed:
            if self._ending is not None:
                raise self._ending()
            ticket = self._scheduler.add(request)
            generation = Generation(request, self._clock(), partial(self._cancel, ticket))
            self._generations[ticket] = generation
            self._changed.notify_all()
        return generation

    def close(self, patience_s: float = _CLOSING_S) -> None:
        """Take no more requests, give those that there are ``patience_s`` to end, and end the others."""
        with self._changed:
            self._ending = self._ending or partial(EngineClosed, "the generator is closed; make a new one.")
            self._changed.wait_for(lambda: not self._generations, patience_s)
        self._give_up(partial(EngineClosed, "the generator was closed before all tokens were there."))
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _work(self) -> None:
        """Hand passes to the engine in their order, as long as there are some."""
        try:
            while (batch := self._next_pass()) is not None:
                self._hand_over(batch)
            self._release()
        finally:
            self._engine.keeper.release()

    def _hand_over(self, batch: Pass) -> None:
        try:
            future = self._submit(batch)
        except EngineError as error:
            self._give_up(partial(type(error), *error.args))
        except Exception as error:  # whatever it is, those who wait must hear of it
            self._land_failed(batch, error)
        else:
            future.add_done_callback(partial(self._land, batch))

    def _next_pass(self) -> Pass | None:
        """Wait for something to do; None when there will be nothing any more."""
        with self._changed:
            while not self._is_over:
                if (batch := self._scheduler.next_pass()) is not None:
                    self._num_passes += 1
                    self._num_rows += batch.num_rows
                    return batch
                self._changed.wait()
        return None

    def _submit(self, batch: Pass) -> Future[Tensor]:
        kept = Kept(
            ids=tuple(part.sequence_id for part in batch.parts),
            past=tuple(part.num_past for part in batch.parts),
            released=batch.released_ids,
        )
        return self._engine.submit([part.tokens for part in batch.parts], want=Want.NEXT_TOKENS, kept=kept)

    def _land(self, batch: Pass, future: Future[Tensor]) -> None:
        """A pass has ended: called by the engine."""
        error = future.exception()
        if isinstance(error, EngineDead | EngineClosed):
            self._give_up(partial(type(error), *error.args))
        elif isinstance(error, Exception):
            self._land_failed(batch, error)
        else:
            self._land_well(batch, future.result().tolist())

    def _land_well(self, batch: Pass, next_tokens: list[int]) -> None:
        now_ns = self._clock()
        with self._changed:
            if self._is_over:
                return
            made = self._scheduler.complete(batch, next_tokens)
            given = [(self._taken(new), new) for new in made]
            self._changed.notify_all()
        for generation, new in given:
            generation.give(Arrival(token=new.token, at_ns=now_ns), new.finish)

    def _land_failed(self, batch: Pass, error: Exception) -> None:
        with self._changed:
            if self._is_over:
                return
            failed = [self._generations.pop(ticket) for ticket in self._scheduler.fail(batch)]
            self._changed.notify_all()
        for generation in failed:
            generation.fail(error)

    def _taken(self, new: NewToken) -> Generation:
        """Who gets a token; forgotten with its last one."""
        if new.finish is None:
            return self._generations[new.ticket]
        return self._generations.pop(new.ticket)

    def _cancel(self, ticket: int) -> None:
        with self._changed:
            generation = self._generations.pop(ticket, None)
            if generation is not None:
                self._scheduler.cancel(ticket)
                self._changed.notify_all()
        if generation is not None:
            generation.fail(CancelledError("the generation was cancelled."))

    def _give_up(self, make_error: Callable[[], EngineError]) -> None:
        """There will be no more passes: whoever waits gets an error."""
        with self._changed:
            self._ending = self._ending or make_error
            self._is_over = True
            left = list(self._generations.values())
            self._generations.clear()
            self._changed.notify_all()
        for generation in left:
            generation.fail(make_error())

    def _release(self) -> None:
        """Leave nothing on the ranks: a pass of one token, for nobody, names all that is kept."""
        with self._changed:
            names = self._scheduler.drop_all()
        if names:
            with suppress(EngineError):
                self._engine.submit([[0]], want=Want.NEXT_TOKENS, kept=Kept(released=names))

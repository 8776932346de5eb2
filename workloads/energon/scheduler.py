"""Which sequences take part in the next forward pass, and with how many tokens: continuous batching.

Requests are admitted in the order in which they came. Each pass takes the sequence that is first in line,
then one token of every sequence that decodes, and fills up with tokens of prompts, in parts where they are
long. Whoever was in a pass lines up behind the others, so that nobody waits for ever; a prompt of which a
part was read stays first.

Nothing here waits, computes or knows the time: a generator asks for passes and tells what became of them.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from workloads.energon.batch_rules import BatchRules
from workloads.energon.errors import QueueFull
from workloads.energon.generation_request import GenerationRequest, RequestTooLong
from workloads.energon.pass_choice import Choice, packed_choice, padded_choice
from workloads.energon.sequence_progress import Finish, SequenceProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one sequence brings to a pass."""

    ticket: int
    """Of the request."""
    sequence_id: int
    """The name of its keys and values on the ranks."""
    num_past: int
    """Tokens that are kept there already."""
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One forward pass, to be done in the order in which passes were given out."""

    parts: tuple[Part, ...]
    released_ids: tuple[int, ...]
    """Names whose keys and values are given up before it."""

    @property
    def num_rows(self) -> int:
        """Tokens of all parts."""
        return sum(len(part.tokens) for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """One token more of a request."""

    ticket: int
    token: int
    finish: Finish | None
    """Why it is the last; None where it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerStats:
    """What a scheduler holds."""

    num_waiting: int
    num_running: int
    num_kept_tokens: int
    """Tokens for which memory is set aside."""


class Scheduler:
    """Requests from their admission to their end. One thread at a time may use it."""

    def __init__(self, rules: BatchRules) -> None:
        self.rules = rules
        self._tickets, self._ids = count(), count(-1, -1)  # below 0: callers of the engine may use the others
        self._waiting: dict[int, SequenceProgress] = {}
        self._running: dict[int, SequenceProgress] = {}
        self._line: deque[SequenceProgress] = deque()
        """Those that run and are in no pass, the first in line first."""
        self._released: list[int] = []
        self._num_kept = 0
        self._num_under_way = 0

    @property
    def stats(self) -> SchedulerStats:
        """What is held now."""
        return SchedulerStats(
            num_waiting=len(self._waiting), num_running=len(self._running), num_kept_tokens=self._num_kept
        )

    @property
    def is_empty(self) -> bool:
        """Whether every request has ended, and no pass is under way."""
        return not (self._waiting or self._running or self._num_under_way)

    def add(self, request: GenerationRequest) -> int:
        """Line a request up; gives its ticket.

        Raises:
            RequestTooLong: when it would never fit into the memory for keys and values.
            QueueFull: when too many wait already.
        """
        if request.num_kept_tokens > self.rules.num_kept_tokens:
            raise RequestTooLong(
                f"the keys and values of {request.num_kept_tokens} tokens are beyond the "
                f"{self.rules.num_kept_tokens} that fit into memory; shorten the prompt or ask for fewer."
            )
        self._admit()
        if len(self._waiting) >= self.rules.max_waiting:
            raise QueueFull(f"{len(self._waiting)} requests wait already; ask later.")
        ticket = next(self._tickets)
        self._waiting[ticket] = SequenceProgress(
            ticket=ticket, sequence_id=next(self._ids), request=request, tokens=list(request.prompt)
        )
        self._admit()
        return ticket

    def cancel(self, ticket: int) -> bool:
        """Give a request up; whether there was one. What it holds is released as soon as no pass uses it."""
        if self._waiting.pop(ticket, None) is not None:
            return True
        sequence = self._running.get(ticket)
        if sequence is None or sequence.is_cancelled:
            return False
        sequence.is_cancelled = True
        if not sequence.is_under_way:
            self._line.remove(sequence)
            self._end(sequence)
        return True

    def next_pass(self) -> Pass | None:
        """What to compute next; None when enough is under way, or there is nothing to do."""
        if self._num_under_way >= self.rules.num_passes:
            return None
        self._admit()
        if not self._line:
            return None
        chosen = self._chosen()
        self._line = deque(sequence for sequence in self._line if sequence not in chosen)
        for sequence in chosen:
            sequence.is_under_way = True
        self._num_under_way += 1
        parts = tuple(_part(sequence, num_rows) for sequence, num_rows in chosen.items())
        return Pass(parts=parts, released_ids=self._take_released())

    def drop_all(self) -> tuple[int, ...]:
        """Forget every request, and what of passes is under way; gives the names of all that is kept."""
        self._released += [sequence.sequence_id for sequence in self._running.values()]
        for sequences in (self._waiting, self._running, self._line):
            sequences.clear()
        self._num_kept = self._num_under_way = 0
        return self._take_released()

    def complete(self, done: Pass, next_tokens: Sequence[int]) -> list[NewToken]:
        """What a pass gave: for each of its parts the token that follows it."""
        made, unread = [], []
        for sequence, part, token in zip(self._landed(done), done.parts, next_tokens, strict=True):
            sequence.num_past += len(part.tokens)
            if sequence.is_cancelled:
                self._end(sequence)
            elif sequence.num_missing:
                unread.append(sequence)
            else:
                made.append(self._grow(sequence, token))
        self._line.extendleft(reversed(unread))
        return made

    def fail(self, failed: Pass) -> list[int]:
        """A pass failed, and with it what its sequences kept; gives the tickets that end by it.

        Of several sequences each is tried again alone, from its beginning: only the culprit shall fail.
        """
        ended = []
        for sequence in reversed(self._landed(failed)):
            if sequence.is_cancelled:
                self._end(sequence)
            elif len(failed.parts) == 1:
                ended.append(sequence.ticket)
                self._end(sequence)
            else:
                self._released.append(sequence.sequence_id)
                sequence.sequence_id, sequence.num_past, sequence.is_alone = next(self._ids), 0, True
                self._line.appendleft(sequence)
        return ended

    def _take_released(self) -> tuple[int, ...]:
        released = tuple(self._released)
        self._released.clear()
        return released

    def _admit(self) -> None:
        """Let those run that came first, as far as what they may need is free; nobody overtakes."""
        while self._waiting and len(self._running) < self.rules.max_running:
            sequence = next(iter(self._waiting.values()))
            num_needed = self.rules.set_aside(sequence.request.num_kept_tokens)
            if self._num_kept + num_needed > self.rules.num_kept_tokens:
                return
            del self._waiting[sequence.ticket]
            self._num_kept += num_needed
            self._running[sequence.ticket] = sequence
            self._line.append(sequence)

    def _chosen(self) -> Choice:
        """The sequences of the next pass, with how many of their tokens."""
        first = self._line[0]
        if first.is_alone:
            return {first: min(first.num_missing, self.rules.max_rows)}
        # As many as leave some for the other passes under way, so that every stage has work.
        most = -(-len(self._running) // self.rules.num_passes)
        candidates = [sequence for sequence in self._line if not sequence.is_alone]
        choose = packed_choice if self.rules.is_packed else padded_choice
        return choose(candidates, most=most, max_rows=self.rules.max_rows)

    def _landed(self, done: Pass) -> list[SequenceProgress]:
        self._num_under_way -= 1
        sequences = [self._running[part.ticket] for part in done.parts]
        for sequence in sequences:
            sequence.is_under_way = False
        return sequences

    def _grow(self, sequence: SequenceProgress, token: int) -> NewToken:
        sequence.tokens.append(token)
        sequence.is_alone = False
        if (finish := sequence.finish) is None:
            self._line.append(sequence)
        else:
            self._end(sequence)
        return NewToken(ticket=sequence.ticket, token=token, finish=finish)

    def _end(self, sequence: SequenceProgress) -> None:
        del self._running[sequence.ticket]
        self._num_kept -= self.rules.set_aside(sequence.request.num_kept_tokens)
        self._released.append(sequence.sequence_id)


def _part(sequence: SequenceProgress, num_rows: int) -> Part:
    begin = sequence.num_past
    return Part(
        ticket=sequence.ticket,
        sequence_id=sequence.sequence_id,
        num_past=begin,
        tokens=tuple(sequence.tokens[begin : begin + num_rows]),
    )

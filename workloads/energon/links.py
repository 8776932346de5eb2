"""The links of a rank to its neighbours in the pipeline: messages go one way, credits come back.

Rank t of a stage talks to rank t of the next one. A header of fixed size tells how large the body behind it
is. A message has started once the next stage takes it, and starting it gives a credit back; a stage computes
on while less than ``num_buffers`` of its messages have not started. Nobody polls: a thread receives, sends
are left in flight, and the receives of credits are posted before what earns them is sent.

With gloo, tags keep headers, bodies and credits apart, and each tag is used by one thread only: two threads
that send under one tag mix up their messages. Headers and credits always travel by gloo, from host to host.
"""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from queue import SimpleQueue

import torch
from torch import Tensor, distributed
from torch.distributed import ProcessGroup, Work

from workloads.energon.rank_errors import LinkError
from workloads.energon.stage_message import (
    Header,
    Kind,
    Message,
    decoded,
    empty_header,
    encoded,
    header_of,
)

_HEADER_TAG, _BODY_TAG, _CREDIT_TAG = 1, 2, 3
_CLOSING = timedelta(seconds=5)
"""What ranks that close wait for each other at most."""
_NUM_CREDITS_KEPT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """The rank at the other end of a link."""

    rank: int
    control: ProcessGroup
    """Of headers and credits: gloo."""
    bodies: ProcessGroup
    """Of hidden states: the same one, or nccl."""
    device: torch.device
    """Where bodies are sent from and received to: the host with gloo."""


class Links:
    """Both neighbours of a rank; the first stage has none before it, the last one none behind."""

    def __init__(
        self, before: Neighbour | None, behind: Neighbour | None, *, num_buffers: int, is_blocking: bool
    ) -> None:
        self._inlet = None if before is None else Inlet(before, is_blocking=is_blocking)
        self._outlet = None if behind is None else Outlet(behind, num_buffers, is_blocking=is_blocking)

    @property
    def is_first(self) -> bool:
        """Whether no stage is before this one."""
        return self._inlet is None

    @property
    def is_last(self) -> bool:
        """Whether no stage is behind this one."""
        return self._outlet is None

    def take(self) -> Message:
        """The next message of the stage before; waits for it.

        Raises:
            LinkError: when that stage is gone.
        """
        if self._inlet is None:
            raise LinkError("the first stage has no stage before it to take from")
        return self._inlet.take()

    def give(self, message: Message) -> None:
        """Hand a message over; the rows must not change any more.

        Raises:
            LinkError: when the next stage is gone.
        """
        if self._outlet is None:
            raise LinkError("the last stage has no stage behind it to give to")
        self._outlet.give(message)

    def close(self) -> None:
        """Part from both neighbours, which do the same; what was not taken yet is lost."""
        if self._outlet is not None:
            self._outlet.finish()
        if self._inlet is not None:
            self._inlet.close()
        if self._outlet is not None:
            self._outlet.close()


class Outlet:
    """The end of a link that gives."""

    def __init__(self, neighbour: Neighbour, num_buffers: int, *, is_blocking: bool) -> None:
        self._neighbour = neighbour
        self._num_buffers = max(1, num_buffers)
        self._is_blocking = is_blocking
        self._unstarted: deque[_Sent] = deque()

    def give(self, message: Message) -> None:
        """Send without waiting, once less than ``num_buffers`` messages have not started there."""
        with _reaching(self._neighbour.rank):
            self._wait_until(self._num_buffers - 1)
            self._unstarted.append(self._send(message))
            if self._is_blocking:
                self._wait_until(0)

    def finish(self) -> None:
        """Say that nothing will follow."""
        if not self._is_blocking:
            with suppress(RuntimeError):
                last = encoded(Header(kind=Kind.LAST))
                self._post_send(last, self._neighbour.control, _HEADER_TAG).wait(_CLOSING)

    def close(self) -> None:
        """Wait until the next stage has let go of all messages, or is gone."""
        with suppress(RuntimeError):
            while self._unstarted:
                for work in self._unstarted[0].works:
                    work.wait(_CLOSING)
                self._unstarted.popleft()

    def _wait_until(self, num_unstarted: int) -> None:
        while len(self._unstarted) > num_unstarted:
            for work in self._unstarted[0].works:
                work.wait()
            self._unstarted.popleft()

    def _send(self, message: Message) -> "_Sent":
        neighbour = self._neighbour
        credit, header = torch.empty(1, dtype=torch.uint8), encoded(header_of(message))
        works = [
            _posted(distributed.irecv(credit, neighbour.rank, neighbour.control, _CREDIT_TAG)),
            self._post_send(header, neighbour.control, _HEADER_TAG),
        ]
        if message.rows is None:
            return _Sent(works=works, tensors=[credit, header])
        body = message.rows.to(neighbour.device)
        works.append(self._post_send(body, neighbour.bodies, _BODY_TAG))
        return _Sent(works=works, tensors=[credit, header, body])

    def _post_send(self, tensor: Tensor, group: ProcessGroup, tag: int) -> Work:
        return _posted(distributed.isend(tensor, self._neighbour.rank, group, tag))


class Inlet:
    """The end of a link that takes."""

    def __init__(self, neighbour: Neighbour, *, is_blocking: bool) -> None:
        self._neighbour = neighbour
        self._arrived: SimpleQueue[_Arrived | LinkError] = SimpleQueue()
        self._credit = torch.zeros(1, dtype=torch.uint8)
        self._credits: deque[Work] = deque()
        on_gpu = neighbour.device.type == "cuda"
        # A stream of its own: what is received does not wait for what is computed.
        self._stream = torch.cuda.Stream(neighbour.device) if on_gpu else None  # type: ignore[no-untyped-call]
        self._thread = None if is_blocking else threading.Thread(target=self._listen, daemon=True)
        if self._thread is not None:
            self._thread.start()

    def take(self) -> Message:
        """The next message, which starts with this."""
        arrived = self._receive() if self._thread is None else self._arrived.get()
        if isinstance(arrived, LinkError):
            self._arrived.put(arrived)  # for the next who asks
            raise LinkError(str(arrived)) from arrived
        with _reaching(self._neighbour.rank):
            self._give_credit()
        return arrived.message()

    def close(self) -> None:
        """Let go of all messages until the stage before says that none will follow, or is gone."""
        if self._thread is not None:
            self._thread.join(_CLOSING.total_seconds())
        with suppress(RuntimeError):
            while not self._arrived.empty() and isinstance(self._arrived.get(), _Arrived):
                self._give_credit()
            for work in self._credits:
                work.wait(_CLOSING)

    def _listen(self) -> None:
        while True:
            try:
                arrived = self._receive()
            except Exception as error:  # whoever takes next must know, whatever it is
                text = f"receiving from rank {self._neighbour.rank} failed: {type(error).__name__}: {error}"
                arrived = LinkError(text)
            self._arrived.put(arrived)
            if isinstance(arrived, LinkError):
                return

    def _receive(self) -> "_Arrived | LinkError":
        neighbour = self._neighbour
        raw = empty_header()
        with _reaching(neighbour.rank):
            _posted(distributed.irecv(raw, neighbour.rank, neighbour.control, _HEADER_TAG)).wait()
        header = decoded(raw)
        if header.kind is Kind.LAST:
            return LinkError(f"rank {neighbour.rank} has closed")
        if header.kind is Kind.FAILED:
            return _Arrived(header=header)
        with torch.cuda.stream(self._stream):
            size = (header.num_rows, header.num_columns)
            body = torch.empty(size, dtype=header.dtype, device=neighbour.device)
            with _reaching(neighbour.rank):
                _posted(distributed.irecv(body, neighbour.rank, neighbour.bodies, _BODY_TAG)).wait()
            event = None if self._stream is None else self._stream.record_event()
        return _Arrived(header=header, body=body, event=event)

    def _give_credit(self) -> None:
        neighbour = self._neighbour
        work = _posted(distributed.isend(self._credit, neighbour.rank, neighbour.control, _CREDIT_TAG))
        self._credits.append(work)
        # The other end has posted the receive long ago, so this never waits.
        while len(self._credits) > _NUM_CREDITS_KEPT:
            self._credits.popleft().wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """A message that has not started; gloo reads its tensors until all works are done."""

    works: Sequence[Work]
    tensors: Sequence[Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrived:
    """A message that has not started, on the end that takes."""

    header: Header
    body: Tensor | None = None
    event: torch.cuda.Event | None = None

    def message(self) -> Message:
        """The message, which work on the current stream may use."""
        if self.body is not None and self.event is not None:
            stream = torch.cuda.current_stream(self.body.device)
            stream.wait_event(self.event)
            self.body.record_stream(stream)
        return Message(key=self.header.key, rows=self.body, failure=self.header.failure)


@contextmanager
def _reaching(rank: int) -> Iterator[None]:
    try:
        yield
    except LinkError:
        raise
    except RuntimeError as error:
        raise LinkError(f"the connection to rank {rank} is lost: {error}") from error


def _posted(work: Work | None) -> Work:
    if work is None:
        raise LinkError("this rank is in no process group with its neighbour")
    return work

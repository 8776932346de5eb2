"""The controller's end of the connection to one worker: it never waits for the other end."""

import selectors
import socket
from collections.abc import Callable, Sequence

from workloads.transport.frames import Frame, FrameReader, Limits, following

_BUFFERS_AT_ONCE = 64
"""The kernel takes at most 1 024 in one call."""


class ControlLine:
    """Frames to and from one worker, by a selector whose keys' data are called with the ready events.

    ``hear`` gets each frame that arrives, ``lose`` once why there will be no more.
    """

    def __init__(
        self,
        connection: socket.socket,
        selector: selectors.BaseSelector,
        hear: Callable[[Frame], None],
        lose: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._selector = selector
        self._hear = hear
        self._lose = lose
        self._reader = FrameReader(connection, Limits())
        self._unsent: list[memoryview] = []
        self._is_open = True
        connection.settimeout(0.0)
        selector.register(connection, selectors.EVENT_READ, self._turn)

    def send(self, buffers: Sequence[memoryview]) -> None:
        """Send what ``wire.packed`` gave, as soon as the other end takes it; the order is kept."""
        if not self._is_open:
            return
        is_writing = bool(self._unsent)
        self._unsent.extend(buffers)
        if not is_writing:
            self._write()

    def close(self) -> None:
        """Let go of the worker, which then ends. Nothing is heard or lost afterwards."""
        if self._is_open:
            self._is_open = False
            self._selector.unregister(self._connection)
            self._connection.close()
            self._unsent.clear()

    def _turn(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._write()
        if events & selectors.EVENT_READ and self._is_open:
            self._read()

    def _write(self) -> None:
        try:
            while self._unsent:
                sent = self._connection.sendmsg(self._unsent[:_BUFFERS_AT_ONCE])
                self._unsent = following(self._unsent, sent)
        except BlockingIOError:
            pass
        except OSError as error:
            self._end(f"could not be sent to: {error}")
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        if self._selector.get_key(self._connection).events != events:
            self._selector.modify(self._connection, events, self._turn)

    def _read(self) -> None:
        try:
            while self._is_open:
                frame = self._reader.read()
                if frame is None:
                    self._end("closed its connection")
                    return
                self._hear(frame)
        except BlockingIOError:
            pass
        except OSError as error:
            self._end(f"broke its connection: {error}")
        except MemoryError:  # for what tells which request this is about
            self._end("said what there was no memory for")

    def _end(self, why: str) -> None:
        self.close()
        self._lose(why)

"""What a worker tells the controller."""

import socket
import threading
from queue import SimpleQueue

from workloads.energon.command import Answer
from workloads.energon.control_frames import answer_frame
from workloads.transport.frames import Frame, packed, send_packed

_SMALL_BYTES = 1 << 15
"""What the buffer of a connection takes at once, whoever reads at the other end."""


class Outbox:
    """Sends small answers at once, and large ones by a thread: the next command need not wait for them.

    The order in which they arrive is not that in which they were given; their keys tell them apart.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._waiting: SimpleQueue[Answer] = SimpleQueue()
        self._turn = threading.Lock()
        threading.Thread(target=self._send_waiting, daemon=True).start()

    def send(self, answer: Answer) -> None:
        """Let an answer go."""
        is_small = answer.rows is None or answer.rows.nbytes <= _SMALL_BYTES
        if is_small and self._turn.acquire(blocking=False):
            try:
                self._send(answer)
            finally:
                self._turn.release()
        else:
            self._waiting.put(answer)

    def tell(self, frame: Frame) -> None:
        """Send something else that is small, as soon as nothing else is being sent."""
        with self._turn:
            send_packed(self._connection, packed(frame))

    def _send_waiting(self) -> None:
        while True:
            answer = self._waiting.get()
            with self._turn:
                self._send(answer)

    def _send(self, answer: Answer) -> None:
        send_packed(self._connection, _packed_answer(answer))


def _packed_answer(answer: Answer) -> list[memoryview]:
    """An answer as what is sent; what cannot be sent (too large, no memory) is told in its place."""
    try:
        return packed(answer_frame(answer))
    except Exception as error:  # whatever it is, it is this request's
        failure = f"{type(error).__name__}: {error}"
        return packed(answer_frame(Answer(key=answer.key, rows=None, failure=failure)))

"""The other devices as one of them sees them, whatever plan they follow: connections, and what they carry.

Nobody waits for a transfer who could work, and no device stops reading while others send: each connection is
read by a thread of its own as soon as this device has begun the pass, so that no circle of full buffers can
arise. A device that is gone is noticed by all others, each by its own connection to it.
"""

import socket
from collections.abc import Mapping
from contextlib import suppress

from workloads.galaxy.engine.desk import Arrival, Desk, Expected
from workloads.galaxy.engine.link import Link
from workloads.galaxy.engine.link_pace import LinkPace
from workloads.galaxy.engine.message import Header, Kind, written
from workloads.transport.link_error import LinkError


class Ring:
    """Connections of one device to the others, by their numbers in the cluster."""

    def __init__(
        self,
        device: int,
        connections: Mapping[int, socket.socket],
        paces: Mapping[int, LinkPace] | None = None,
    ) -> None:
        self.device = device
        self._desk = Desk()
        self._tag = self._number = 0
        self._links = {
            other: Link(other, connection, self._desk, self._pass_on, (paces or {}).get(other))
            for other, connection in connections.items()
        }

    @property
    def sent_bytes(self) -> int:
        """Headers and bodies that this device has sent to others so far."""
        return sum(link.sent_bytes for link in self._links.values())

    def begin(self, expected: Expected) -> None:
        """A pass begins; all its devices call this for each, in the same order.

        Raises:
            LinkError: when one of its devices is gone.
        """
        for link in self._links.values():
            link.drained()  # what was sent of the last pass lies where this one may write
        self._number, self._tag = self._desk.begin(expected), expected.tag

    def send(self, device: int, kind: Kind, half: int, index: int, body: memoryview) -> None:
        """Send to another device in the background; the body must not change during this pass.

        Raises:
            LinkError: when it is gone.
        """
        header = Header(self._tag, half, kind, index, self._number, body.nbytes)
        if device not in self._links:
            raise LinkError(f"device {self.device} has no connection to device {device}")
        self._links[device].send(written(header), body)

    def poll(self) -> Arrival | None:
        """A message that is here; None where there is none.

        Raises:
            LinkError: when a device of this pass is gone.
        """
        return self._desk.poll()

    def wait(self) -> Arrival:
        """The next message.

        Raises:
            LinkError: when a device of this pass is gone.
        """
        return self._desk.wait()

    def close(self) -> None:
        """Part from the others, which may still finish what they are at."""
        farewell = written(Header(self._tag, 0, Kind.FAREWELL, 0, self._number, 0))
        for link in self._links.values():
            with suppress(LinkError):
                link.send(farewell, memoryview(b""))
        self._desk.close()
        for link in self._links.values():
            link.close()

    def abort(self) -> None:
        """Break off in the middle of a pass: the others fail at once, where they would wait."""
        self._desk.close()
        for link in self._links.values():
            link.abort()

    def _pass_on(self, device: int, header: bytes, body: memoryview) -> None:
        with suppress(LinkError):  # its own threads tell that it is gone
            self._links[device].send(header, body)

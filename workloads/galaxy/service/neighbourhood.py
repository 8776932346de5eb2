"""Connections of a device to the others of its plan: who listens, who calls, and that they mean the same."""

import socket
import threading
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import sleep
from typing import Any

from workloads.transport.handshake import caller_of, introduce
from workloads.transport.link_error import LinkError

_PATIENCE_S = 30.0
_TRY_S = 5.0
_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What some devices meet for: a plan, or to measure a link."""

    key: str
    """Known to these devices alone."""
    called: int
    """This device's number."""
    callers: Collection[int]
    """Those that will call."""


_NOTHING = Matter(key="", called=0, callers=())


@dataclass(slots=True)
class _Callers:
    """Those of one matter who have come."""

    matter: Matter
    connections: dict[int, socket.socket] = field(default_factory=dict)


class Doorway:
    """Listens for other devices; those that know the key of what is expected are let in."""

    def __init__(self, address: str = "") -> None:
        self._listener = socket.create_server((address, 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._changed = threading.Condition()
        self._callers = _Callers(_NOTHING)
        self._is_closed = False
        threading.Thread(target=self._listen, name="galaxy doorway", daemon=True).start()

    def expect(self, matter: Matter = _NOTHING) -> None:
        """Let in who calls for this matter, from now on; what was expected before is not any more."""
        with self._changed:
            for connection in self._callers.connections.values():
                connection.close()
            self._callers = _Callers(matter)
            self._changed.notify_all()

    def callers(self, key: str, numbers: Iterable[int]) -> dict[int, socket.socket]:
        """Connections of all these devices; waits for them.

        Raises:
            LinkError: when one does not come in time, or the matter is over.
        """
        wanted = set(numbers)
        with self._changed:
            self._changed.wait_for(
                lambda: self._callers.matter.key != key or wanted <= self._callers.connections.keys(),
                _PATIENCE_S,
            )
            found = self._callers.connections if self._callers.matter.key == key else {}
            if missing := wanted - found.keys():
                raise LinkError(
                    f"devices {sorted(missing)} did not call within {_PATIENCE_S:g} s, or it was broken off"
                )
            return {number: found.pop(number) for number in wanted}

    def close(self) -> None:
        """Nobody is let in any more."""
        self._is_closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.expect()

    def _listen(self) -> None:
        while not self._is_closed:
            try:
                caller, _ = self._listener.accept()
            except OSError:  # closed, or no descriptor is left just now
                sleep(_PAUSE_S)
                continue
            threading.Thread(target=self._admit, args=(caller,), daemon=True).start()

    def _admit(self, caller: socket.socket) -> None:
        callers = self._callers
        matter = callers.matter
        with suppress(OSError, ValueError):
            caller.settimeout(_TRY_S)
            number = caller_of(caller, matter.key.encode(), matter.called, matter.callers)
            with self._changed:
                if number is not None and callers is self._callers and number not in callers.connections:
                    callers.connections[number] = tuned(caller)
                    self._changed.notify_all()
                    return
        caller.close()


def called(
    where: Mapping[str, Any], key: str, caller: int, number: int, reach_s: float = _TRY_S
) -> socket.socket:
    """A connection of device ``caller`` to device ``number``, which expects it.

    ``reach_s``: how long each of its addresses is tried.

    Raises:
        LinkError: when it cannot be reached at any of its addresses.
    """
    port, why = int(where["port"]), "no address is known"
    for address in where["addresses"]:
        try:
            connection = socket.create_connection((str(address), port), timeout=reach_s)
        except OSError as error:
            why = f"{address}: {error}"
            continue
        with suppress(OSError):
            if introduce(connection, key.encode(), caller, number):
                return tuned(connection)
        connection.close()
        why = f"{address}: it did not know what this is about"
    raise LinkError(f"device {number} was not reached at {list(where['addresses'])}, port {port} ({why})")


def tuned(connection: socket.socket) -> socket.socket:
    """Blocking, without delay of small messages; the kernel finds the sizes of its buffers."""
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection

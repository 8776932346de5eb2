"""Where devices knock: who may come in and how fast it is, and who is turned away with a reason."""

import hmac
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import sleep
from typing import Any

from workloads.galaxy.documents import device_profile_of
from workloads.galaxy.profile import DeviceProfile
from workloads.galaxy.versions import disagreement, own_versions
from workloads.transport.frames import Frame, FrameReader, Header, Limits, WireError, send_frame

_HELLO_S = 10.0
_PAUSE_S = 0.1
_LOOPBACK = "127."
_PROFILE_S = 120.0
"""A slow device may need a while to measure itself."""
_HELLO_LIMITS = Limits(header_bytes=1 << 14, body_bytes=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """A device that may come in."""

    connection: socket.socket
    name: str
    addresses: tuple[str, ...]
    """Where it listens for other devices; the likeliest first."""
    port: int
    profile: DeviceProfile
    weights: str
    """A digest of its checkpoint; empty where weights are random."""


class Admission:
    """Listens for devices; those that know the token and have our versions are handed on."""

    def __init__(
        self, address: str, port: int, token: str, model: Header, admit: Callable[[Newcomer], None]
    ) -> None:
        self._token = token.encode()
        self._model = model
        self._admit = admit
        self._is_closed = False
        self._listener = socket.create_server((address, port), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, name="galaxy admission", daemon=True).start()

    def close(self) -> None:
        """Nobody comes in any more."""
        self._is_closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        while not self._is_closed:
            try:
                connection, address = self._listener.accept()
            except OSError:  # closed, or no descriptor is left just now
                sleep(_PAUSE_S)
                continue
            # In a thread of its own: one that says nothing must not keep others waiting.
            threading.Thread(target=self._greet, args=(connection, address[0]), daemon=True).start()

    def _greet(self, connection: socket.socket, address: str) -> None:
        try:
            connection.settimeout(_HELLO_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            newcomer = self._newcomer(connection, address)
            connection.settimeout(None)
            self._check_open()
        except (OSError, TypeError, ValueError) as error:
            with suppress(OSError):
                send_frame(connection, Frame(header={"kind": "refused", "why": str(error)}))
            connection.close()
            return
        self._admit(newcomer)

    def _check_open(self) -> None:
        if self._is_closed:
            raise ValueError("the service is closed.")

    def _newcomer(self, connection: socket.socket, address: str) -> Newcomer:
        """Who knocks. The token is looked at before anything else.

        Raises:
            ValueError: when it may not come in.
        """
        reader = FrameReader(connection, _HELLO_LIMITS)
        hello = _said(reader)
        if not hmac.compare_digest(str(hello.get("token", "")).encode(), self._token):
            raise ValueError(
                "its token is not that of this service; give the one that the service was given."
            )
        differing = disagreement(dict(hello.get("versions", {})), own_versions())
        if differing:
            raise ValueError(f"its versions differ: {differing}; install the same on all devices.")
        port, name = int(hello.get("port", 0)), str(hello.get("name", ""))[:80]
        others = [str(each) for each in hello.get("addresses", []) if each != address]
        # One that came over loopback is reached by others elsewhere.
        found = [*others, address] if address.startswith(_LOOPBACK) else [address, *others]
        connection.settimeout(_PROFILE_S)
        send_frame(connection, Frame(header={"kind": "model", **self._model}))
        told = _said(reader)
        differing = disagreement(dict(told.get("architecture", {})), self._model["architecture"])
        if differing:
            raise ValueError(f"its checkpoint is of another model: {differing}; serve what it is of.")
        return Newcomer(
            connection=connection,
            name=name,
            addresses=tuple(found),
            port=port,
            profile=device_profile_of(told.get("profile", {})),
            weights=str(told.get("weights", "")),
        )


def _said(reader: FrameReader) -> Any:  # Any: as JSON gives it
    frame = reader.read()
    if frame is None:
        raise WireError("it closed without a word")
    return frame.header

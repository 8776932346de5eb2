"""Where ranks of several hosts reach the first of them, whether or not host names resolve."""

import fcntl
import os
import secrets
import socket
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

_SIOCGIFADDR = 0x8915
_TOKEN_BYTES = 16
_PATIENCE_S = 5.0


def interface_addresses() -> Mapping[str, str]:
    """Interface of each IPv4 address of this host, loopback left out, in the order of the kernel."""
    found: dict[str, str] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # an interface without an IPv4 address
                answer = fcntl.ioctl(asker, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                address = socket.inet_ntoa(answer[20:24])
                if not address.startswith("127."):
                    found[address] = name
    return found


def candidate_addresses() -> list[str]:
    """Addresses by which others may reach this host: what was named, what its own name stands for, others."""
    interfaces = interface_addresses()
    own = list(interfaces)
    with suppress(OSError):
        named = socket.gethostbyname(socket.gethostname())
        own.sort(key=lambda address: address != named)
    asked = os.environ.get("GLOO_SOCKET_IFNAME", "").split(",")
    return sorted(own, key=lambda address: interfaces[address] not in asked)


@contextmanager
def answering() -> Iterator[tuple[int, str]]:
    """Answer everybody who connects with a token, so that nobody takes another host for this one.

    Gives the port and the token. Private addresses, such as those of container bridges, exist on many hosts.
    """
    token = secrets.token_bytes(_TOKEN_BYTES)
    with socket.create_server(("", 0), backlog=4096) as listener:
        thread = threading.Thread(target=_answer, args=(listener, token), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1], token.hex()
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def reach(addresses: Sequence[str], port: int, token: str) -> tuple[str, str] | None:
    """The first of the addresses that answers with the token, and this host's own address on that way."""
    for address in addresses:
        with suppress(OSError), socket.create_connection((address, port), timeout=_PATIENCE_S) as caller:
            heard = b""
            while len(heard) < _TOKEN_BYTES and (data := caller.recv(_TOKEN_BYTES - len(heard))):
                heard += data
            if heard.hex() == token:
                return address, str(caller.getsockname()[0])
    return None


def _answer(listener: socket.socket, token: bytes) -> None:
    while True:
        try:
            caller, _ = listener.accept()
        except OSError:  # closed: everybody was answered
            return
        with caller, suppress(OSError):
            caller.sendall(token)

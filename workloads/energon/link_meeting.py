"""Where the two ends of each link meet: TCP connections that both ends know to be the right ones.

Ranks tell each other addresses, ports and tokens through a process group that they have already. Loopback
serves where all of them are on one host; else the interfaces that ``GLOO_SOCKET_IFNAME`` names, or all.
"""

import fcntl
import json
import os
import secrets
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.distributed import ProcessGroup

from workloads.energon.rank_errors import LinkError

_LOOPBACK = "127.0.0.1"
_RECORD_BYTES = 2048
_TOKEN_BYTES = 16
_RANK_DIGITS = 8
_PATIENCE_S = 60.0
"""For a rank that has already said where it listens."""
_TRY_S = 5.0
_SIOCGIFADDR = 0x8915
_SILENT_S = 10
"""After so long without a word, the other host is asked whether it is there."""


def meet(
    group: ProcessGroup, rank: int, *, callers: Sequence[int], called: Sequence[int]
) -> dict[int, socket.socket]:
    """Connections to these other ranks. All ranks call this, and each calls only ranks above its own.

    Raises:
        LinkError: when one of them cannot be reached.
    """
    is_one_host = len({record["host"] for record in _told(group, {"host": _host()})}) == 1
    with socket.create_server((_LOOPBACK if is_one_host else "", 0), backlog=256) as listener:
        secret = _Secret(asked=secrets.token_hex(_TOKEN_BYTES), answered=secrets.token_hex(_TOKEN_BYTES))
        own = {
            "addresses": [_LOOPBACK] if is_one_host else _addresses(),
            "port": listener.getsockname()[1],
            "asked": secret.asked,
            "answered": secret.answered,
        }
        records = _told(group, own)
        # The highest rank calls nobody, so it answers at once, and then the one below it, and so on.
        found = {other: _reached(records[other], other, rank) for other in called}
        while missing := sorted(set(callers) - set(found)):
            found |= _accepted(listener, secret, missing)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Secret:
    """What a caller says, and what it is told."""

    asked: str
    answered: str


def _told(group: ProcessGroup, own: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What every rank says of itself, by rank."""
    raw = json.dumps(own).encode().ljust(_RECORD_BYTES)
    of_all = [torch.empty(_RECORD_BYTES, dtype=torch.uint8) for _ in range(group.size())]
    distributed.all_gather(of_all, torch.frombuffer(bytearray(raw), dtype=torch.uint8), group=group)
    return [json.loads(each.numpy().tobytes()) for each in of_all]


def _host() -> str:
    """The same for all who reach each other over loopback: one kernel, one network namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    network = Path("/proc/self/ns/net")
    kernel = boot.read_text().strip() if boot.exists() else socket.gethostname()
    return f"{kernel} {network.readlink() if network.exists() else ''}"


def _addresses() -> list[str]:
    """IPv4 addresses of this host, loopback left out."""
    asked = [name for name in os.environ.get("GLOO_SOCKET_IFNAME", "").split(",") if name]
    names = asked or [name for _, name in socket.if_nameindex()]
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for name in names:
            with suppress(OSError):  # an interface without an IPv4 address
                answer = fcntl.ioctl(asker, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                found.append(socket.inet_ntoa(answer[20:24]))
    # As many as fit into a record; hosts have few.
    return [address for address in found if not address.startswith("127.")][:32]


def _reached(record: Mapping[str, Any], rank: int, own_rank: int) -> socket.socket:
    for address in record["addresses"]:
        with suppress(OSError):
            caller = socket.create_connection((address, record["port"]), timeout=_TRY_S)
            with suppress(OSError):
                caller.settimeout(_PATIENCE_S)
                caller.sendall(f"{record['asked']}{own_rank:0{_RANK_DIGITS}}".encode())
                if _heard(caller, 2 * _TOKEN_BYTES) == record["answered"]:
                    return _tuned(caller)
            caller.close()
    tried = ", ".join(record["addresses"]) or "no address"
    raise LinkError(f"rank {rank} was not reached at {tried}, port {record['port']}")


def _accepted(listener: socket.socket, secret: _Secret, missing: Sequence[int]) -> dict[int, socket.socket]:
    """The next caller, unless it is somebody else's."""
    listener.settimeout(_PATIENCE_S)
    try:
        caller, _ = listener.accept()
    except TimeoutError as error:
        raise LinkError(f"ranks {list(missing)} did not connect within {_PATIENCE_S:g} s") from error
    with suppress(OSError, ValueError):
        caller.settimeout(_TRY_S)
        heard = _heard(caller, 2 * _TOKEN_BYTES + _RANK_DIGITS)
        token, rank = heard[: 2 * _TOKEN_BYTES], int(heard[2 * _TOKEN_BYTES :])
        if secrets.compare_digest(token.encode(), secret.asked.encode()) and rank in missing:
            caller.sendall(secret.answered.encode())
            return {rank: _tuned(caller)}
    caller.close()
    return {}


def _heard(caller: socket.socket, num_bytes: int) -> str:
    heard = b""
    while len(heard) < num_bytes and (data := caller.recv(num_bytes - len(heard))):
        heard += data
    return heard.decode("ascii", errors="replace")


def _tuned(connection: socket.socket) -> socket.socket:
    """Blocking, without delay of small messages, and with an end when the other host falls silent."""
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _SILENT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _SILENT_S // 2)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
    return connection

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
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.distributed import ProcessGroup

from workloads.transport.handshake import caller_of, introduce, link_key
from workloads.transport.link_error import LinkError

_LOOPBACK = "127.0.0.1"
_RECORD_BYTES = 2048
_TOKEN_BYTES = 16
_PATIENCE_S = 60.0
"""For a rank that has already said where it listens."""
_TRY_S = 5.0
_SIOCGIFADDR = 0x8915
_SILENT_S = 10
"""After so long without a word, the other host is asked whether it is there."""


def meet(
    group: ProcessGroup, rank: int, *, callers: Sequence[int], called: Sequence[int], secret: str = ""
) -> dict[int, socket.socket]:
    """Connections to these other ranks. All ranks call this, and each calls only ranks above its own.

    ``secret``: what all ranks know and nobody else. Without one, whoever can listen to the group can join.

    Raises:
        LinkError: when one of them cannot be reached.
    """
    is_one_host = len({record["host"] for record in _told(group, {"host": _host()})}) == 1
    with socket.create_server((_LOOPBACK if is_one_host else "", 0), backlog=256) as listener:
        own = {
            "addresses": [_LOOPBACK] if is_one_host else own_addresses(),
            "port": listener.getsockname()[1],
            "token": secrets.token_hex(_TOKEN_BYTES),
        }
        records = _told(group, own)
        # The highest rank calls nobody, so it answers at once, and then the one below it, and so on.
        found = {other: _reached(records[other], other, rank, secret) for other in called}
        key = link_key(secret, records[rank]["token"])
        while missing := sorted(set(callers) - set(found)):
            found |= _accepted(listener, key, rank, missing)
    return found


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


def own_addresses() -> list[str]:
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


def _reached(record: Mapping[str, Any], rank: int, own_rank: int, secret: str) -> socket.socket:
    key = link_key(secret, record["token"])
    for address in record["addresses"]:
        with suppress(OSError):
            caller = socket.create_connection((address, record["port"]), timeout=_TRY_S)
            with suppress(OSError):
                caller.settimeout(_PATIENCE_S)
                if introduce(caller, key, own_rank, rank):
                    return _tuned(caller)
            caller.close()
    tried = ", ".join(record["addresses"]) or "no address"
    raise LinkError(f"rank {rank} was not reached at {tried}, port {record['port']}")


def _accepted(
    listener: socket.socket, key: bytes, own_rank: int, missing: Sequence[int]
) -> dict[int, socket.socket]:
    """The next caller, unless it is somebody else's."""
    listener.settimeout(_PATIENCE_S)
    try:
        caller, _ = listener.accept()
    except TimeoutError as error:
        raise LinkError(f"ranks {list(missing)} did not connect within {_PATIENCE_S:g} s") from error
    with suppress(OSError):
        caller.settimeout(_TRY_S)
        rank = caller_of(caller, key, own_rank, missing)
        if rank is not None:
            return {rank: _tuned(caller)}
    caller.close()
    return {}


def _tuned(connection: socket.socket) -> socket.socket:
    """Blocking, without delay of small messages, and with an end when the other host falls silent."""
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _SILENT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _SILENT_S // 2)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
    return connection

"""What runs on a device to measure it: fed to its Python on stdin, so that a real machine needs nothing else.

usage: python3 - answer | call HOST PORT SECONDS | compute SECONDS
"""

import json
import socket
import struct
import sys
import time

_CHUNK_BYTES = 1 << 18
_SHORT_BYTES = 1 << 16
_PINGS = 20
_WARM_S = 0.3
_MAXSEG = getattr(socket, "TCP_MAXSEG", 2)
_PAUSE_S = 0.05


def main(arguments: "list[str]") -> None:
    """Does what is asked, and prints one JSON value."""
    if arguments[0] == "answer":
        answer()
    elif arguments[0] == "call":
        print(json.dumps(call(arguments[1], int(arguments[2]), float(arguments[3]))))
    else:
        print(json.dumps(compute(float(arguments[1]))))


def answer() -> None:
    """Listens, says where, echoes what is short, then counts what comes."""
    listener = socket.socket()
    listener.bind(("", 0))
    listener.listen(1)
    listener.settimeout(60)
    print(listener.getsockname()[1], flush=True)
    caller, _ = listener.accept()
    caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(_PINGS):
        caller.sendall(caller.recv(1))
    took_s = []
    for _ in range(3):
        time.sleep(_PAUSE_S)
        begun_s = time.monotonic()
        caller.sendall(b"s")
        took_s.append(heard(caller, _SHORT_BYTES) - begun_s)
    caller.sendall(b"l")
    caller.sendall(struct.pack("!ddI", *counted(caller), caller.getsockopt(socket.IPPROTO_TCP, _MAXSEG)))
    caller.sendall(struct.pack("!d", sorted(took_s)[1]))
    caller.close()


def heard(caller: socket.socket, size: int) -> float:
    """The moment at which so many bytes had come."""
    left = size
    while left and (data := caller.recv(left)):
        left -= len(data)
    return time.monotonic()


def counted(caller: socket.socket) -> "tuple[float, float]":
    """Bytes after the first moments of a stream, and the seconds they took."""
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    begun_s = warm_s = last_s = 0.0
    total = 0
    while size := caller.recv_into(buffer):
        last_s = time.monotonic()
        begun_s = begun_s or last_s
        if warm_s:
            total += size
        elif last_s - begun_s > _WARM_S:
            warm_s = last_s
    return float(total), (last_s - warm_s) if warm_s else 0.0


def call(host: str, port: int, seconds: float) -> "dict[str, float]":
    """Times of empty messages, and what a stream reached, as the other end counted."""
    caller = socket.create_connection((host, port), timeout=30)
    caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    times_s = []
    for _ in range(_PINGS):
        begun_s = time.monotonic()
        caller.sendall(b"p")
        caller.recv(1)
        times_s.append(time.monotonic() - begun_s)
    chunk = bytes(_CHUNK_BYTES)
    for _ in range(3):
        caller.recv(1)
        caller.sendall(chunk[:_SHORT_BYTES])
    caller.recv(1)
    deadline_s = time.monotonic() + _WARM_S + seconds
    while time.monotonic() < deadline_s:
        caller.sendall(chunk[:_SHORT_BYTES])
    caller.shutdown(socket.SHUT_WR)
    told = b""
    while len(told) < 28 and (data := caller.recv(28 - len(told))):
        told += data
    num_bytes, took_s, segment, short_s = struct.unpack("!ddId", told)
    ping_s = sorted(times_s)[_PINGS // 4]
    return {
        "bytes": num_bytes,
        "seconds": took_s,
        "segment": segment,
        "short_s": max(short_s - ping_s, 1e-9),  # without the way of the question and of the first byte
        "short_bytes": _SHORT_BYTES,
        "ping_s": ping_s,
    }


def compute(seconds: float) -> float:
    """Rounds of the same arithmetic a second: a measure of one thread of this device beside others."""
    begun_s = time.monotonic()
    rounds = 0
    value = 1
    while time.monotonic() - begun_s < seconds:
        for _ in range(2000):
            value = (value * 1103515245 + 12345) & 0x7FFFFFFF
        rounds += 1
    return rounds / (time.monotonic() - begun_s)


if __name__ == "__main__":
    main(sys.argv[1:])

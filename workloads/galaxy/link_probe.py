"""How long messages take from one device to another, over a TCP connection between them.

One end probes, the other answers; both need nothing but the connection, and the one that probes a clock. All
that it times ends with a word of the other end, so that clocks need not agree. For a few tenths of a second
the link carries nothing else: probe links one after the other.

A message of n bytes takes ``delay + message + n / rate``. Links that are held to a rate let some bytes pass
freely after a pause (the burst of a token bucket): the rate is therefore that of the bytes by which a long
transfer is longer than a short one, which both contain the burst.
"""

import socket
import struct

from workloads.galaxy.profile import NS_PER_S, LinkProfile
from workloads.protocol import ReadClock
from workloads.transport.host_bytes import fill
from workloads.transport.link_error import LinkError

_HEAD = struct.Struct("!BQ")
_ECHO, _TAKE, _END = 1, 2, 3
_WORD = b"."
_NUM_ECHOES = 30
_NUM_SMALL = 64
_SMALL_BYTES = 64
_SHORT_BYTES = 1 << 17
"""More than the burst of links that are held to a rate; ``burst 64kb`` is usual."""
_MOST_BYTES = 1 << 25
_LONG_NS = 15e6
"""A transfer of so long is told from the time of its last word."""
_CHUNK_BYTES = 1 << 18
_PROMISED_NS = 60e6
"""How long a link with the rate that is promised takes for what it is tried with."""
_MOST_TRIALS = 3
_FAR_BELOW = 0.25
"""No second trial makes up for so little of what is promised."""


def probe_link(connection: socket.socket, clock: ReadClock) -> LinkProfile:
    """The link from here to the other end of ``connection``, where ``answer_probe`` runs meanwhile.

    Raises:
        LinkError: when the other end has closed.
        OSError: when it is gone, or says nothing for longer than the connection waits.
    """
    _time(connection, clock, 1, _SHORT_BYTES)  # TCP finds its window
    round_trip_ns = _median([_echo(connection, clock) for _ in range(_NUM_ECHOES)])
    several_ns = _time(connection, clock, _NUM_SMALL, _SMALL_BYTES)
    # An echo is a message itself: it has the time of one, which is none of the delay.
    message_ns = max(0.0, several_ns - round_trip_ns) / (_NUM_SMALL - 1)
    delay_ns = max(0.0, round_trip_ns / 2 - message_ns)
    rate = _rate(connection, clock)
    end_probe(connection)
    return LinkProfile(delay_ns=delay_ns, rate=rate, message_ns=message_ns)


def reached_rate(connection: socket.socket, clock: ReadClock, promised: float) -> float:
    """Bytes/s of long messages to the other end, where ``answer_probe`` runs meanwhile.

    A link that reaches what is promised is tried once, and not for longer than to see that; of one that does
    not the best counts, since others may have had the processors. ``end_probe`` ends it.

    Raises:
        LinkError: when the other end has closed.
        OSError: when it is gone, or says nothing for longer than the connection waits.
    """
    num_bytes = round(min(max(promised * _PROMISED_NS / NS_PER_S, 2 * _SHORT_BYTES), _MOST_BYTES))
    best = 0.0
    for _ in range(_MOST_TRIALS):
        short_ns = _time(connection, clock, 1, _SHORT_BYTES)
        long_ns = _time(connection, clock, 1, _SHORT_BYTES + num_bytes)
        best = max(best, num_bytes / max(long_ns - short_ns, 1.0) * NS_PER_S)
        if best >= promised or best < _FAR_BELOW * promised:
            break
    return best


def end_probe(connection: socket.socket) -> None:
    """Let the other end go on with something else.

    Raises:
        OSError: when it is gone.
    """
    connection.sendall(_HEAD.pack(_END, 0))


def answer_probe(connection: socket.socket) -> None:
    """Answer the probe of the other end until it has ended.

    Raises:
        LinkError: when the other end has closed, or says what is no probe.
        OSError: when it is gone.
    """
    head, room = bytearray(_HEAD.size), memoryview(bytearray(_CHUNK_BYTES))
    while True:
        fill(memoryview(head), connection)
        kind, num_bytes = _HEAD.unpack(head)
        if kind == _END:
            return
        if kind not in (_ECHO, _TAKE):
            raise LinkError(f"a probe of a link began with {bytes(head)!r}")
        left = num_bytes
        while left:
            fill(room[: min(left, _CHUNK_BYTES)], connection)
            left -= min(left, _CHUNK_BYTES)
        if kind == _ECHO:
            connection.sendall(_WORD)


def _rate(connection: socket.socket, clock: ReadClock) -> float:
    """Bytes/s of long messages."""
    short_ns = _time(connection, clock, 1, _SHORT_BYTES)
    num_bytes = 3 * _SHORT_BYTES
    while True:
        long_ns = _time(connection, clock, 1, num_bytes)
        if long_ns - short_ns >= _LONG_NS or num_bytes >= _MOST_BYTES:
            break
        num_bytes *= 2
    if long_ns <= short_ns:  # others had the processors
        return num_bytes / long_ns * NS_PER_S
    return (num_bytes - _SHORT_BYTES) / (long_ns - short_ns) * NS_PER_S


def _time(connection: socket.socket, clock: ReadClock, num_messages: int, num_bytes: int) -> float:
    """From before the first of several messages to the word that all have arrived [ns]."""
    body = bytes(num_bytes)
    begin_ns = clock()
    for _ in range(num_messages - 1):
        connection.sendall(_HEAD.pack(_TAKE, num_bytes) + body)
    connection.sendall(_HEAD.pack(_ECHO, num_bytes) + body)
    _heard(connection)
    return float(clock() - begin_ns)


def _echo(connection: socket.socket, clock: ReadClock) -> float:
    return _time(connection, clock, 1, 0)


def _heard(connection: socket.socket) -> None:
    fill(memoryview(bytearray(len(_WORD))), connection)


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]

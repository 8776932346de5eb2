"""How the two ends of a new connection prove to each other that they know the key of their meeting.

The listener sends a challenge. The caller answers with its rank, a challenge of its own and a proof, and the
listener with another proof; each is an HMAC (RFC 2104) by SHA-256 of both challenges and both ranks, so that
the key never travels, and what was said once is of no use to anybody. Nothing else is read before.
"""

import hmac
import secrets
import socket
import struct
from collections.abc import Collection

_CHALLENGE_BYTES = 16
_PROOF_BYTES = 32
_SAID = struct.Struct(f"<I{_CHALLENGE_BYTES}s")  # rank of the caller, its challenge


def link_key(secret: str, token: str) -> bytes:
    """The key of a listener: of what its ranks alone know, and of a token that it has told them."""
    return hmac.digest(secret.encode(), token.encode(), "sha256")


def introduce(connection: socket.socket, key: bytes, rank: int, called: int) -> bool:
    """Say as rank ``rank`` who calls; whether the other end is rank ``called`` and knows the key.

    Raises:
        OSError: when the other end is gone, or does not answer in time.
    """
    challenge = _heard(connection, _CHALLENGE_BYTES)
    said = _SAID.pack(rank, secrets.token_bytes(_CHALLENGE_BYTES))
    connection.sendall(said + _proof(key, b"caller", challenge, said, called))
    answer = _heard(connection, _PROOF_BYTES)
    return hmac.compare_digest(answer, _proof(key, b"called", challenge, said, called))


def caller_of(connection: socket.socket, key: bytes, called: int, expected: Collection[int]) -> int | None:
    """The rank that calls rank ``called``, where it knows the key and is one of ``expected``.

    Raises:
        OSError: when the other end is gone, or does not answer in time.
    """
    challenge = secrets.token_bytes(_CHALLENGE_BYTES)
    connection.sendall(challenge)
    heard = _heard(connection, _SAID.size + _PROOF_BYTES)
    said, proof = heard[: _SAID.size], heard[_SAID.size :]
    if not hmac.compare_digest(proof, _proof(key, b"caller", challenge, said, called)):
        return None
    rank: int = _SAID.unpack(said)[0]
    if rank not in expected:
        return None
    connection.sendall(_proof(key, b"called", challenge, said, called))
    return rank


def _proof(key: bytes, role: bytes, challenge: bytes, said: bytes, called: int) -> bytes:
    return hmac.digest(key, role + challenge + said + called.to_bytes(4, "little"), "sha256")


def _heard(connection: socket.socket, num_bytes: int) -> bytes:
    heard = b""
    while len(heard) < num_bytes:
        data = connection.recv(num_bytes - len(heard))
        if not data:
            raise ConnectionResetError("the other end has closed in the middle of a handshake")
        heard += data
    return heard

"""Bytes that the ranks of an engine put on the wire, counted by the kernel in a network of their own.

``python -m benchmarks.energon_wire FOLDER TENSOR_PARALLEL PIPELINE_PARALLEL LENGTH...`` is what runs in the
namespace: nothing else speaks there, so that all bytes of its loopback device are the engine's.
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.energon_models import random_prompts
from workloads.energon.engine import launch
from workloads.transformer.want import Want

NUM_REQUESTS = 5
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_LIMIT_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class WireBytes:
    """Of the same requests with their padding, and packed."""

    padded: int
    packed: int


def wire_bytes(
    folder: Path, lengths: Sequence[int], tensor_parallel: int, pipeline_parallel: int
) -> WireBytes:
    """Run both in a new network namespace.

    Raises:
        subprocess.CalledProcessError: where this user may make none, or the engine fails.
    """
    words = [str(folder), str(tensor_parallel), str(pipeline_parallel), *map(str, lengths)]
    who = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *who, "--net", sys.executable, "-m", "benchmarks.energon_wire"]
    done = subprocess.run([*command, *words], stdout=subprocess.PIPE, text=True, check=True, timeout=_LIMIT_S)
    return WireBytes(**json.loads(done.stdout.splitlines()[-1]))


def main(words: Sequence[str]) -> int:
    """Count both ways; one JSON document on the standard output."""
    _raise_loopback()
    folder, tensor_parallel, pipeline_parallel = Path(words[0]), int(words[1]), int(words[2])
    prompts = random_prompts([int(word) for word in words[3:]], 1000)
    counts = {}
    for name, is_packed in (("padded", False), ("packed", True)):
        with launch(
            folder,
            tensor_parallel=tensor_parallel,
            pipeline_parallel=pipeline_parallel,
            is_packed=is_packed,
            threads_per_rank=1,
        ) as engine:
            engine.submit(prompts, want=Want.NEXT_TOKENS).result()  # connections are made on first use
            begin = _loopback_bytes()
            for _ in range(NUM_REQUESTS):
                engine.submit(prompts, want=Want.NEXT_TOKENS).result()
            counts[name] = _loopback_bytes() - begin
    print(json.dumps(counts))
    return 0


def _loopback_bytes() -> int:
    """Bytes that the loopback device of this namespace has received."""
    lines = Path("/proc/self/net/dev").read_text(encoding="ascii").splitlines()
    fields = next(line.split(":")[1].split() for line in lines if line.strip().startswith("lo:"))
    return int(fields[0])


def _raise_loopback() -> None:
    """A new namespace has its loopback device down (``ip link set lo up`` without the program)."""
    with socket.socket() as some:
        asked = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(some, _SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(some, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Two network namespaces with a link between them, kept by two processes that die with the benchmark."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LINK = "link0"
ADDRESSES = ("10.79.0.1", "10.79.0.2")
_CLONE_NEWNET = 0x40000000
_BURST_BYTES = 16 * 2**10
_LATENCY_MS = 400
_PATIENCE_S = 10.0


@contextmanager
def linked_namespaces() -> Iterator[tuple[int, ...]]:
    """Two processes that each hold a network namespace; both are gone, with the link, after any end.

    Raises:
        OSError: where this user may not make them, with what the programs said.
    """
    keepers = [_keeper() for _ in ADDRESSES]
    try:
        for keeper in keepers:
            _wait_until_apart(keeper.pid)
        _connect(*(keeper.pid for keeper in keepers))
        yield tuple(keeper.pid for keeper in keepers)
    finally:
        for keeper in keepers:
            keeper.kill()
            keeper.wait()


def enter_namespace(keeper: int) -> None:
    """Bring this thread, and those that it starts from now on, into the namespace of a keeper."""
    library = ctypes.CDLL(None, use_errno=True)
    file = os.open(f"/proc/{keeper}/ns/net", os.O_RDONLY)
    try:
        if library.setns(file, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "the network namespace cannot be entered")
    finally:
        os.close(file)


def throttle(bytes_per_s: float) -> None:
    """Limit what leaves by this namespace's end of the link; infinity takes the limit away."""
    if bytes_per_s == float("inf"):
        subprocess.run(["tc", "qdisc", "del", "dev", LINK, "root"], capture_output=True, check=False)
        return
    rate = ("rate", f"{round(8 * bytes_per_s)}bit", "burst", str(_BURST_BYTES), "latency", f"{_LATENCY_MS}ms")
    _run("tc", "qdisc", "replace", "dev", LINK, "root", "tbf", *rate)


def _keeper() -> subprocess.Popen[bytes]:
    tied = [sys.executable, "-m", "saih.launch.tether", str(int(signal.SIGKILL)), str(os.getpid())]
    return subprocess.Popen(
        [*tied, "unshare", "--net", "sleep", "infinity"], start_new_session=True, stderr=subprocess.DEVNULL
    )


def _wait_until_apart(pid: int) -> None:
    own = Path("/proc/self/ns/net").readlink()
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/ns/net").readlink() != own:
                return
        except OSError as error:
            raise OSError(f"no network namespace can be made here ({error})") from error
        time.sleep(0.01)
    raise OSError("no network namespace can be made here")


def _connect(first: int, second: int) -> None:
    pair = ["ip", "link", "add", "name", LINK, "type", "veth", "peer", "name", LINK, "netns", str(second)]
    _run("nsenter", "--net", "--target", str(first), *pair)
    for keeper, address in zip((first, second), ADDRESSES, strict=True):
        inside = ("nsenter", "--net", "--target", str(keeper), "ip")
        _run(*inside, "link", "set", "lo", "up")
        _run(*inside, "addr", "add", f"{address}/24", "dev", LINK)
        _run(*inside, "link", "set", LINK, "up")
    _run("nsenter", "--net", "--target", str(first), "tc", "qdisc", "replace", "dev", LINK, *_PROBE)
    _run("nsenter", "--net", "--target", str(first), "tc", "qdisc", "del", "dev", LINK, "root")


_PROBE = ("root", "tbf", "rate", "1gbit", "burst", "64kb", "latency", "50ms")


def _run(*command: str) -> None:
    path = f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
        )
    except FileNotFoundError as error:
        raise OSError(f"{command[0]} is not installed") from error
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")

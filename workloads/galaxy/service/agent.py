"""A device of the service: it joins, measures itself, and does its part of every request.

Usage: ``python -m workloads.galaxy.service.agent --service HOST:PORT --name NAME [--memory BYTES]``, with the
token of the service in the environment variable ``GALAXY_TOKEN``.
"""

import argparse
import os
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue

from workloads.galaxy.service.device_work import DeviceWork
from workloads.galaxy.service.neighbourhood import Doorway
from workloads.galaxy.versions import own_versions
from workloads.steady_clock import steady_ns
from workloads.transport.frames import Frame, FrameReader, Limits, send_frame
from workloads.transport.meeting import own_addresses

TOKEN_VARIABLE = "GALAXY_TOKEN"  # noqa: S105  # its name
_REFUSED, _LOST = 2, 3
_PARTING_S = 5.0


def main(arguments: Sequence[str]) -> int:
    """Take part until the service closes; exit status 0; 2 when turned away, 3 when it is lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--service", required=True, help="HOST:PORT of the service")
    parser.add_argument(
        "--name", default=socket.gethostname(), help="a name of its own (default: the host's)"
    )
    parser.add_argument(
        "--memory", type=int, default=0, help="bytes that it may hold (default: half of what is free)"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads that compute")
    asked = parser.parse_args(arguments)
    host, _, port = asked.service.rpartition(":")
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token or not port.isdigit():
        return _say(f"give the token in {TOKEN_VARIABLE}, and --service as HOST:PORT.", _REFUSED)
    try:
        connection = socket.create_connection((host, int(port)))
    except OSError as error:
        return _say(f"no service was reached at {asked.service}: {error}; start it first.", _LOST)
    with connection, Agent(connection, asked.name, asked.memory, asked.threads) as agent:
        return agent.work(token)


class Agent:
    """One device at work. What must be answered at once is, by a thread that only listens."""

    def __init__(self, connection: socket.socket, name: str, memory_bytes: int, num_threads: int) -> None:
        self._connection = connection
        self._name = name
        self._sending = threading.Lock()
        self._inbox: SimpleQueue[Frame | None] = SimpleQueue()
        self._listener: threading.Thread | None = None
        self._doorway = Doorway()
        self._work = DeviceWork(
            name=name,
            memory_bytes=memory_bytes,
            num_threads=num_threads,
            doorway=self._doorway,
            clock=steady_ns,
        )

    def work(self, token: str) -> int:
        """Join, and do what the service says until it closes; gives the exit status."""
        reader = FrameReader(self._connection, Limits())
        hello = {"token": token, "name": self._name, "versions": own_versions(), "port": self._doorway.port}
        self._send(Frame(header={"kind": "hello", "addresses": own_addresses(), **hello}))
        told = reader.read()
        if told is None or told.header["kind"] != "model":
            return self._turned_away(told)
        self._send(Frame(header={"kind": "profiled", **self._work.profiled(told.header)}))
        self._listener = threading.Thread(target=self._listen, args=(reader,), daemon=True)
        self._listener.start()
        while (frame := self._inbox.get()) is not None:
            kind = frame.header["kind"]
            if kind == "refused":
                return self._turned_away(frame)
            if kind == "close":
                return 0
            self._send(self._work.done(frame))
        return _say("the service is gone.", _LOST)

    def __enter__(self) -> "Agent":
        return self

    def __exit__(self, *_: object) -> None:
        self._work.close()
        self._doorway.close()
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        if self._listener is not None:  # what still runs when Python ends may end it by a signal
            self._listener.join(_PARTING_S)

    def _listen(self, reader: FrameReader) -> None:
        with suppress(OSError):
            while (frame := reader.read()) is not None:
                self._sort(frame)
        self._work.abort(None)
        self._inbox.put(None)

    def _sort(self, frame: Frame) -> None:
        """Calls are answered and work is broken off while the device computes; the rest is done in turn."""
        header = frame.header
        kind = header["kind"]
        if kind == "ping":
            self._send(Frame(header={"kind": "pong"}))
        elif kind == "expect":
            self._work.expect(header)
            self._send(Frame(header={"kind": "expecting", "key": header["key"]}))
        elif kind == "abort":
            self._work.abort(int(header["epoch"]))
        elif kind != "welcome":
            self._inbox.put(frame)

    def _send(self, frame: Frame) -> None:
        with self._sending, suppress(OSError):  # the listener notices that the service is gone
            send_frame(self._connection, frame)

    def _turned_away(self, told: Frame | None) -> int:
        why = "it closed the connection" if told is None else told.header.get("why", "no reason was given")
        return _say(f"the service turned this device away: {why}", _REFUSED)


def _say(text: str, status: int) -> int:
    print(text, file=sys.stderr)  # noqa: T201
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A server in a thread of this process, and how a client reads its events."""

import json
import socket
import threading
from contextlib import contextmanager

import httpx
import uvicorn

from workloads.energon.serving.app import Service, make_app

GENEROUS_S = 180


@contextmanager
def served(service: Service, drain_s: int | None = None):
    """A client of a real server on a free port, and the server."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            make_app(service),
            http="h11",
            ws="none",
            lifespan="off",
            log_level="critical",
            timeout_graceful_shutdown=drain_s,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started)
            with httpx.Client(base_url=address, timeout=GENEROUS_S) as client:
                yield client, server
        finally:
            server.should_exit = True
            thread.join()


def wait_until(is_true) -> None:
    """Wait for a condition, up to a generous time."""
    bell = threading.Event()
    for _ in range(GENEROUS_S * 200):
        if is_true():
            return
        bell.wait(0.005)
    raise TimeoutError


def events_of(response: httpx.Response) -> list[tuple[str, dict]]:
    """The events of a stream, as they came."""
    events, name = [], ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            events.append((name, json.loads(line.removeprefix("data: "))))
    return events


def metrics_of(client: httpx.Client) -> dict[str, float]:
    """Each line of the metrics page."""
    lines = client.get("/metrics").text.splitlines()
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")
    }

"""The program that serves, as a user starts it: right tokens, a clean end, a dead worker that is told of."""

import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.workloads.energon.generation_oracle import greedy, model_in
from tests.workloads.energon.serving_client import GENEROUS_S, events_of, metrics_of, wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


@contextmanager
def serving(*options: str):
    """The process and a client of it, once it answers."""
    command = [
        sys.executable,
        "-m",
        "workloads.energon.serve",
        "--port",
        "0",
        "--threads-per-rank",
        "1",
        *options,
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = re.search(r"http://\S+", process.stdout.readline()).group()
            with httpx.Client(base_url=address, timeout=GENEROUS_S) as client:
                wait_until(lambda: answers(client) or process.poll() is not None)
                yield process, client
        finally:
            process.kill()


def answers(client: httpx.Client) -> bool:
    with suppress(httpx.TransportError):
        return client.get("/health").status_code == 200
    return False


def workers_of(process: subprocess.Popen) -> list[int]:
    """Its child processes."""
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_clients_get_the_tokens_of_transformers_and_a_signal_lets_them_end(tmp_path):
    model = model_in(tmp_path, "gpt2")
    prompts = [list(range(1, 2 + 5 * n)) for n in range(6)]
    expected = [list(greedy(model, prompt, 12)) for prompt in prompts]
    long = list(greedy(model, [5, 6], 150))
    with serving("--model", str(tmp_path), "--dtype", "float64", "--tensor-parallel", "2") as (
        process,
        client,
    ):
        pids = workers_of(process)
        assert len(pids) == 2

        def ask(prompt):
            return client.post("/v1/generate", json={"prompt": prompt, "max_new_tokens": 12}).json()["tokens"]

        with ThreadPoolExecutor(6) as clients:
            assert list(clients.map(ask, prompts)) == expected
        assert metrics_of(client)["energon_tokens_total"] == 72
        body = {"prompt": [5, 6], "max_new_tokens": 150, "stream": True}
        with client.stream("POST", "/v1/generate", json=body) as response:
            process.send_signal(signal.SIGTERM)
            assert events_of(response)[-1] == ("end", {"tokens": long, "finish": "length"})
        assert process.wait(GENEROUS_S) == 0
        assert not any(map(is_there, pids))


def test_a_dead_worker_is_told_to_everybody(tmp_path):
    model_in(tmp_path, "opt")
    with serving("--model", str(tmp_path), "--pipeline-parallel", "2") as (process, client):
        pids = workers_of(process)
        body = {"prompt": [5, 6], "max_new_tokens": 150, "stream": True}
        with client.stream("POST", "/v1/generate", json=body) as response:
            os.kill(pids[1], signal.SIGKILL)
            last_event, _ = events_of(response)[-1]
        assert last_event in ("error", "end")  # the latter where all tokens were there already
        wait_until(lambda: client.get("/health").status_code == 503)
        assert "was killed by SIGKILL" in client.get("/health").json()["reason"]
        refused = client.post("/v1/generate", json={"prompt": [1], "max_new_tokens": 1})
        assert refused.status_code == 503
        assert refused.json()["error"]["type"] == "engine_dead"
        process.send_signal(signal.SIGTERM)
        assert process.wait(GENEROUS_S) == 0
        assert not any(map(is_there, pids))


def test_what_cannot_be_served_is_said_in_a_line():
    command = [sys.executable, "-m", "workloads.energon.serve", "--port", "0", "--model", "gpt3"]
    ended = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=GENEROUS_S)
    assert ended.returncode == 1
    assert "'gpt3'; those known are" in ended.stderr
    assert "Traceback" not in ended.stderr

"""The HTTP front over real sockets: answers, streams, refusals, limits, clients that leave."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import httpx
import pytest

from tests.workloads.energon.engine_by_hand import EngineByHand
from tests.workloads.energon.ranks_by_hand import VOCAB_SIZE, alone
from tests.workloads.energon.serving_client import (
    GENEROUS_S,
    events_of,
    metrics_of,
    served,
    wait_until,
)
from workloads.energon.errors import EngineDead, RequestFailed
from workloads.energon.generation import Generator, rules_for
from workloads.energon.generation_request import GenerationRequest
from workloads.energon.serving.app import Service
from workloads.energon.serving.limits import ServingLimits

LIMITS = ServingLimits(body_bytes=4096, max_new_tokens=150, retry_after_s=7)
DEAD = "the engine is dead; ask another server, or when it was started anew."


class Front:
    """An engine by hand, and a client of its server."""

    def __init__(self, engine, generator, client) -> None:
        self.engine, self.generator, self.client = engine, generator, client
        self.death = ""

    def ask(self, **body) -> httpx.Response:
        return self.client.post("/v1/generate", json=body)

    @property
    def address(self):
        return self.client.base_url.host, self.client.base_url.port


@pytest.fixture
def front():
    with fronted(LIMITS) as front:
        yield front


@pytest.fixture(scope="module")
def lasting_front():
    """For tests that leave no trace that another one minds."""
    with fronted(LIMITS) as front:
        yield front


@contextmanager
def fronted(limits):
    ticks = count(step=10_000_000)
    with EngineByHand() as engine:
        rules = rules_for(engine, max_waiting=2, max_running=2)
        with Generator(engine, rules, lambda: next(ticks)) as generator:
            front = Front(engine, generator, None)
            service = Service(generator=generator, death=lambda: front.death, limits=limits)
            with served(service) as (client, _):
                front.client = client
                yield front
            engine.gate.set()


def expected(prompt, max_new_tokens):
    return alone(GenerationRequest(prompt=tuple(prompt), max_new_tokens=max_new_tokens))


def test_an_answer_has_all_tokens_and_why_it_ended(lasting_front):
    front = lasting_front
    response = front.ask(prompt=[1, 2], max_new_tokens=6)
    assert response.status_code == 200
    assert response.json() == {"tokens": expected([1, 2], 6), "finish": "length"}
    stop = expected([1, 2], 6)[2]
    response = front.ask(prompt=[1, 2], max_new_tokens=6, stop=[stop])
    assert response.json() == {"tokens": expected([1, 2], 3), "finish": "stop"}


def test_a_stream_has_an_event_for_each_token_and_one_for_the_end(lasting_front):
    body = {"prompt": [1, 2], "max_new_tokens": 4, "stream": True}
    with lasting_front.client.stream("POST", "/v1/generate", json=body) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = events_of(response)
    tokens = expected([1, 2], 4)
    assert events == [
        *(("token", {"token": token, "place": place}) for place, token in enumerate(tokens)),
        ("end", {"tokens": tokens, "finish": "length"}),
    ]


def test_many_clients_at_once_each_get_their_own_tokens(lasting_front):
    prompts = [[n, n + 1] for n in range(4)]
    with ThreadPoolExecutor(4) as clients:
        responses = list(
            clients.map(lambda prompt: lasting_front.ask(prompt=prompt, max_new_tokens=9), prompts)
        )
    assert [response.json()["tokens"] for response in responses] == [expected(p, 9) for p in prompts]


@pytest.mark.parametrize(
    ("body", "status", "kind", "said"),
    [
        (b"{", 400, "bad_request", "no JSON"),
        (b"[]", 400, "bad_request", "must be an object"),
        (b"\xff\xfe", 400, "bad_request", "no JSON"),
        (b"[" * 4000, 400, "bad_request", "the body"),
        (b"{}", 400, "bad_request", "prompt and max_new_tokens must be given"),
        (b'{"prompt": [1], "max_new_tokens": 2, "temperature": 1}', 400, "bad_request", "'temperature'"),
        (b'{"prompt": [1], "max_new_tokens": 2, "stream": 1}', 400, "bad_request", "stream must be"),
        (b'{"prompt": ["\\ud800"], "max_new_tokens": 2}', 400, "bad_request", r"prompt[0] is '\ud800'"),
        (b'{"\\ud800": 1}', 400, "bad_request", r"'\ud800'"),
        (b'{"prompt": [], "max_new_tokens": 2}', 400, "bad_request", "prompt is empty"),
        (b'{"prompt": "hi", "max_new_tokens": 2}', 400, "bad_request", "prompt is 'hi'"),
        (b'{"prompt": [1e3], "max_new_tokens": 2}', 400, "bad_request", "prompt[0] is 1000.0"),
        (b'{"prompt": [NaN], "max_new_tokens": 2}', 400, "bad_request", "prompt[0] is nan"),
        (b'{"prompt": [97], "max_new_tokens": 2}', 400, "bad_request", f"0 to {VOCAB_SIZE - 1}"),
        (b'{"prompt": [1], "max_new_tokens": 0}', 400, "bad_request", "max_new_tokens is 0"),
        (b'{"prompt": [1], "max_new_tokens": 2, "stop": 5}', 400, "bad_request", "stop is 5"),
        (b'{"prompt": [1], "max_new_tokens": 151}', 413, "too_long", "beyond 150"),
        (json.dumps({"prompt": [1] * 199, "max_new_tokens": 2}).encode(), 413, "too_long", "context of 200"),
        (b" " * 5000, 413, "body_too_large", "beyond 4096 bytes"),
    ],
)
def test_bad_requests_are_refused_by_name_and_others_go_on(lasting_front, body, status, kind, said):
    response = lasting_front.client.post("/v1/generate", content=body)
    assert response.status_code == status
    assert response.json()["error"]["type"] == kind
    assert said in response.json()["error"]["message"]
    assert lasting_front.ask(prompt=[3], max_new_tokens=2).json()["tokens"] == expected([3], 2)


def test_a_body_without_length_is_bounded_while_it_comes(lasting_front):
    response = lasting_front.client.post("/v1/generate", content=(b" " * 1000 for _ in range(50)))
    assert response.status_code == 413


def test_a_body_that_does_not_come_is_given_up():
    impatient = ServingLimits(body_timeout_s=0.01)
    with fronted(impatient) as front, socket.create_connection(front.address, GENEROUS_S) as connection:
        connection.sendall(b"POST /v1/generate HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
        assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", "/v1/generate", 405), ("POST", "/health", 405)]
)
def test_what_is_not_offered_is_refused_in_the_same_form(lasting_front, method, path, status):
    response = lasting_front.client.request(method, path)
    assert response.status_code == status
    assert "POST /v1/generate" in response.json()["error"]["message"]


def test_a_full_queue_says_when_to_ask_again(front):
    front.engine.gate.clear()
    with ThreadPoolExecutor(4) as clients:
        held = [clients.submit(front.ask, prompt=[n], max_new_tokens=2) for n in range(4)]
        wait_until(lambda: front.generator.stats.now.num_waiting == 2)
        refused = front.ask(prompt=[9], max_new_tokens=2)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "7"
        assert refused.json()["error"]["type"] == "queue_full"
        front.engine.gate.set()
        assert [held_one.result().json()["tokens"] for held_one in held] == [
            expected([n], 2) for n in range(4)
        ]


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_client_that_leaves_frees_what_it_held(front, is_streamed):
    front.engine.gate.clear()
    body = json.dumps({"prompt": [1, 2], "max_new_tokens": 100, "stream": is_streamed}).encode()
    with socket.create_connection(front.address, timeout=GENEROUS_S) as connection:
        connection.sendall(
            b"POST /v1/generate HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        )
        wait_until(lambda: front.generator.stats.now.num_running == 1)
    front.engine.gate.set()
    wait_until(lambda: front.generator.stats.now.num_running == 0)
    assert front.generator.stats.now.num_kept_tokens == 0
    wait_until(lambda: metrics_of(front.client).get('energon_requests_total{outcome="cancelled"}') == 1)


def test_a_client_that_leaves_in_the_middle_of_a_stream_cancels_it(front):
    front.engine.passes_until_closed = 2
    body = {"prompt": [1, 2], "max_new_tokens": 150, "stream": True}
    with front.client.stream("POST", "/v1/generate", json=body) as response:
        assert next(response.iter_lines()) == "event: token"
    wait_until(lambda: metrics_of(front.client).get('energon_requests_total{outcome="cancelled"}') == 1)
    front.engine.gate.set()
    wait_until(lambda: front.generator.stats.now.num_running == 0)
    assert front.generator.stats.num_passes <= 3


def test_a_failed_request_gets_a_plain_error_the_log_says_why_and_others_go_on(front, caplog):
    front.engine.error = RequestFailed("out of memory in /a/path (rank 1)")
    for is_streamed in (False, True):
        response = front.ask(prompt=[1], max_new_tokens=2, stream=is_streamed)
        assert response.status_code == 500
        assert response.json()["error"] == {
            "type": "failed",
            "message": "the request failed on the server, whose log says why; others go on.",
        }
    assert [record.getMessage() for record in caplog.records] == [
        "a request failed: RequestFailed: out of memory in /a/path (rank 1)"
    ] * 2
    front.engine.error = None
    assert front.ask(prompt=[1], max_new_tokens=2).status_code == 200


def test_a_dead_engine_is_told_to_clients_and_by_health(front):
    assert front.client.get("/health").json() == {"status": "ok"}
    front.engine.error = EngineDead("rank 1 was killed by SIGKILL.", "/a/path")
    response = front.ask(prompt=[1], max_new_tokens=2)
    assert response.status_code == 503
    assert response.json()["error"] == {"type": "engine_dead", "message": DEAD}
    assert front.ask(prompt=[1], max_new_tokens=2).status_code == 503
    front.death = "rank 1 was killed by SIGKILL"
    health = front.client.get("/health")
    assert health.status_code == 503
    assert health.json() == {"status": "dead", "reason": "rank 1 was killed by SIGKILL"}
    assert metrics_of(front.client)["energon_up"] == 0


def test_an_error_in_the_middle_of_a_stream_is_its_last_event(front):
    front.engine.passes_until_closed = 2
    body = {"prompt": [1, 2], "max_new_tokens": 150, "stream": True}
    with front.client.stream("POST", "/v1/generate", json=body) as response:
        lines = response.iter_lines()
        assert next(lines) == "event: token"
        front.engine.error = EngineDead("rank 0 ended.", "/a/path")
        front.engine.gate.set()
        said = [line for line in lines if line]
    assert said[-2:] == [
        "event: error",
        f'data: {{"error":{{"type":"engine_dead","message":"{DEAD}"}}}}',
    ]


def test_a_server_that_may_not_wait_tells_those_who_do_that_it_ends():
    with EngineByHand() as engine, Generator(engine) as generator, ThreadPoolExecutor(2) as others:
        engine.passes_until_closed = 2
        service = Service(generator=generator, death=lambda: "")
        body = {"prompt": [1, 2], "max_new_tokens": 190}
        with served(service, drain_s=0) as (client, server):
            with client.stream("POST", "/v1/generate", json=body | {"stream": True}) as response:
                whole = others.submit(client.post, "/v1/generate", json=body)
                wait_until(lambda: generator.stats.now.num_running == 2)
                server.should_exit = True
                name, data = events_of(response)[-1]
            assert whole.result().status_code == 503
            assert name == "error"
            assert data["error"]["type"] == whole.result().json()["error"]["type"] == "shutting_down"
        engine.gate.set()
        wait_until(lambda: generator.stats.now.num_running == 0)


def test_metrics_count_requests_tokens_and_times_by_the_clock_that_was_handed_in(front):
    front.ask(prompt=[1, 2], max_new_tokens=3)
    front.ask(prompt=[], max_new_tokens=3)
    metrics = metrics_of(front.client)
    assert metrics['energon_requests_total{outcome="length"}'] == 1
    assert metrics['energon_requests_total{outcome="bad_request"}'] == 1
    assert metrics["energon_prompt_tokens_total"] == 2
    assert metrics["energon_tokens_total"] == 3
    assert metrics["energon_passes_total"] == 3
    assert metrics["energon_rows_total"] == 4
    assert metrics["energon_requests_waiting"] == metrics["energon_requests_running"] == 0
    # The clock ticks by 10 ms: once when asked, once with each token.
    assert metrics["energon_time_to_first_token_seconds_sum"] == pytest.approx(0.01)
    assert metrics["energon_time_per_output_token_seconds_sum"] == pytest.approx(0.02)
    assert metrics['energon_time_per_output_token_seconds_bucket{le="0.005"}'] == 0
    assert metrics['energon_time_per_output_token_seconds_bucket{le="0.01"}'] == 2
    assert metrics["energon_request_duration_seconds_sum"] == pytest.approx(0.03)
    assert metrics["energon_request_duration_seconds_count"] == 1

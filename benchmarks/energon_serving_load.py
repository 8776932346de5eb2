"""Clients of a server of energon: whom they ask what and when, and what they saw."""

import asyncio
import json
import math
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from time import perf_counter

import httpx

_PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthMix:
    """Lengths that are log-normally distributed, as lengths of prompts and answers nearly are.

    The means of ``ALPACA`` are those that Kwon et al. (2023, arXiv 2309.06180, figure 11) tell of the Alpaca
    data set: 19.31 and 58.45 tokens. ``sigma`` (of the logarithm) is our choice: the longest of 100 is then
    about ten times as long as the median.
    """

    prompt_mean: float
    answer_mean: float
    sigma: float = 1.0
    longest: int = 512
    """Longer ones are cut to it."""

    def draw(self, count: int, vocab_size: int, seed: int) -> list["Asked"]:
        """Requests of random tokens, the same for a seed."""
        chance = random.Random(seed)  # noqa: S311  # reproducible loads, no secret
        return [
            Asked(
                prompt=[chance.randrange(vocab_size) for _ in range(self._length(chance, self.prompt_mean))],
                max_new_tokens=self._length(chance, self.answer_mean),
            )
            for _ in range(count)
        ]

    def _length(self, chance: random.Random, mean: float) -> int:
        # The mean of a log-normal distribution is exp(mu + sigma^2 / 2).
        mu = math.log(mean) - self.sigma**2 / 2
        return min(self.longest, max(1, round(chance.lognormvariate(mu, self.sigma))))


ALPACA = LengthMix(prompt_mean=19.31, answer_mean=58.45)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request."""

    prompt: list[int]
    max_new_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a client saw of one request; times since it was due [s]."""

    status: int
    num_tokens: int
    first_token_s: float
    last_token_s: float

    @property
    def is_good(self) -> bool:
        """Whether it was answered whole."""
        return self.status == 200 and self.num_tokens > 0

    @property
    def per_token_s(self) -> float:
        """Mean time from a token to the next [s]."""
        return (self.last_token_s - self.first_token_s) / max(1, self.num_tokens - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What all clients saw."""

    seen: tuple[Seen, ...]
    duration_s: float

    @property
    def tokens_per_s(self) -> float:
        """Generated tokens per second, over all clients."""
        return sum(seen.num_tokens for seen in self.seen) / self.duration_s


async def closed_loop(url: str, asked: Sequence[Asked], num_clients: int) -> LoadResult:
    """Clients that each ask for the next as soon as they have their answer."""
    left = iter(asked)
    seen: list[Seen] = []

    async def ask_on(client: httpx.AsyncClient) -> None:
        for request in left:
            seen.append(await _ask(client, request, perf_counter()))  # noqa: PERF401  # others append, too

    async with _client(url) as client:
        begin_s = perf_counter()
        await asyncio.gather(*(ask_on(client) for _ in range(num_clients)))
        return LoadResult(seen=tuple(seen), duration_s=perf_counter() - begin_s)


async def poisson(url: str, asked: Sequence[Asked], rate_per_s: float, seed: int) -> LoadResult:
    """Requests that come by chance, ``rate_per_s`` on average, whether earlier ones were answered or not."""
    chance = random.Random(seed)  # noqa: S311  # reproducible loads, no secret

    async def ask_at(client: httpx.AsyncClient, request: Asked, due_s: float) -> Seen:
        await asyncio.sleep(max(0.0, due_s - perf_counter()))
        return await _ask(client, request, due_s)

    async with _client(url) as client:
        begin_s = due_s = perf_counter()
        tasks = []
        for request in asked:
            due_s += chance.expovariate(rate_per_s)
            tasks.append(asyncio.create_task(ask_at(client, request, due_s)))
        seen = await asyncio.gather(*tasks)
        return LoadResult(seen=tuple(seen), duration_s=perf_counter() - begin_s)


def _client(url: str) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    return httpx.AsyncClient(base_url=url, timeout=_PATIENCE_S, limits=limits)


async def _ask(client: httpx.AsyncClient, asked: Asked, due_s: float) -> Seen:
    """One request, from when it was due: a client that is late does not make the server look faster."""
    body = {"prompt": asked.prompt, "max_new_tokens": asked.max_new_tokens, "stream": True}
    times_s = []
    async with client.stream("POST", "/v1/generate", json=body) as response:
        async for name, _ in _events(response):
            if name == "token":
                times_s.append(perf_counter() - due_s)
            elif name == "error":
                times_s.clear()
        status = response.status_code
    return Seen(
        status=status,
        num_tokens=len(times_s),
        first_token_s=times_s[0] if times_s else math.nan,
        last_token_s=times_s[-1] if times_s else math.nan,
    )


async def _events(response: httpx.Response) -> AsyncIterator[tuple[str, object]]:
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))

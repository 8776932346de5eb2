"""A generator: many requests at once, each gets its own tokens, an end, or an error."""

import asyncio
import gc
import random
from collections import Counter
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest

from tests.workloads.energon.engine_by_hand import ARCHITECTURE, EngineByHand
from tests.workloads.energon.ranks_by_hand import VOCAB_SIZE, alone, next_token
from workloads.energon.errors import EngineClosed, EngineDead, EngineTaken, QueueFull, RequestFailed
from workloads.energon.generation import Generator, rules_for
from workloads.energon.generation_request import GenerationRequest, RequestTooLong
from workloads.energon.request import Kept
from workloads.energon.sequence_progress import Finish, SequenceProgress
from workloads.energon.token_stream import Generation
from workloads.transformer.architecture import Family
from workloads.transformer.errors import RequestError

GENEROUS_S = 60


def expected(prompt, max_new_tokens, stop_ids=()):
    request = GenerationRequest(
        prompt=tuple(prompt), max_new_tokens=max_new_tokens, stop_ids=frozenset(stop_ids)
    )
    return tuple(alone(request))


@pytest.fixture
def engine():
    with EngineByHand() as engine:
        yield engine


@pytest.fixture
def generator(engine):
    with Generator(engine) as generator:
        yield generator


def test_many_callers_at_once_each_get_their_own_tokens(generator):
    prompts = [[(7 * n + k) % VOCAB_SIZE for k in range(1 + n % 9)] for n in range(40)]
    with ThreadPoolExecutor(8) as callers:
        futures = [
            callers.submit(lambda p=p: generator.generate(p, max_new_tokens=1 + len(p)).result(GENEROUS_S))
            for p in prompts
        ]
    assert [future.result().tokens for future in futures] == [expected(p, 1 + len(p)) for p in prompts]
    assert generator.stats.now.num_kept_tokens == 0


def test_tokens_can_be_followed_one_by_one_by_several(generator):
    generation = generator.generate([3, 4], max_new_tokens=12)

    async def follow():
        return [token async for token in generation]

    assert tuple(generation) == expected([3, 4], 12)
    assert tuple(asyncio.run(follow())) == expected([3, 4], 12)
    assert generation.result(GENEROUS_S).finish is Finish.LENGTH


def test_tokens_come_as_they_are_made(engine, generator):
    engine.gate.clear()
    generation = generator.generate([3, 4], max_new_tokens=3)

    async def follow():
        return [arrival.token async for arrival in generation.arrivals()]

    with ThreadPoolExecutor(1) as other:
        following = other.submit(asyncio.run, follow())
        with pytest.raises(TimeoutError, match="0 tokens"):
            generation.result(0.0)
        engine.gate.set()
        assert tuple(following.result(GENEROUS_S)) == expected([3, 4], 3)


def test_a_stop_token_ends_a_generation(generator):
    stop = expected([9], 10)[3]
    completion = generator.generate([9], max_new_tokens=10, stop_ids=[stop]).result(GENEROUS_S)
    assert completion.tokens == expected([9], 10, [stop])
    assert completion.finish is Finish.STOP


def test_a_cancelled_generation_frees_what_it_holds_and_tells_its_followers(engine, generator):
    engine.gate.clear()
    generation = generator.generate([1, 2, 3], max_new_tokens=50)
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(generation.result)
        generation.cancel()
        generation.cancel()
        with pytest.raises(CancelledError, match="the generation was cancelled"):
            waiting.result(GENEROUS_S)
    with pytest.raises(CancelledError):
        list(generation)
    engine.gate.set()
    assert generator.generate([5], max_new_tokens=2).result(GENEROUS_S).tokens == expected([5], 2)
    assert generator.stats.now.num_kept_tokens == 0


def test_what_ranks_keep_is_released_when_the_generator_is_closed(engine):
    with Generator(engine) as generator:
        generations = [generator.generate([n], max_new_tokens=4) for n in range(5)]
        for generation in generations:
            generation.result(GENEROUS_S)
    engine.close()
    assert engine.ranks.kept == {}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"prompt": []}, "prompt is empty"),
        ({"prompt": [VOCAB_SIZE]}, rf"prompt\[0\] is {VOCAB_SIZE}.*0 to {VOCAB_SIZE - 1}"),
        ({"prompt": [1, -1]}, r"prompt\[1\] is -1"),
        ({"prompt": [True]}, r"prompt\[0\] is True"),
        ({"prompt": [1.0]}, r"prompt\[0\] is 1.0"),
        ({"prompt": "12"}, "prompt is '12'"),
        ({"prompt": [10**5000]}, "thousands of digits"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"max_new_tokens": 1.5}, "max_new_tokens is 1.5"),
        ({"max_new_tokens": True}, "max_new_tokens is True"),
        ({"stop_ids": [VOCAB_SIZE]}, r"stop\[0\]"),
        ({"stop_ids": 3}, "stop is 3"),
    ],
)
def test_a_bad_request_is_refused_by_its_name_and_others_go_on(generator, asked, said):
    with pytest.raises(RequestError, match=said):
        generator.generate(**{"prompt": [1], "max_new_tokens": 2} | asked)
    assert generator.generate([1], max_new_tokens=2).result(GENEROUS_S).tokens == expected([1], 2)


def test_what_is_too_long_is_refused_by_its_name(engine, generator):
    with pytest.raises(
        RequestTooLong, match="198 tokens of prompt and 3 new ones are beyond the context of 200"
    ):
        generator.generate([1] * 198, max_new_tokens=3)
    assert generator.generate([1] * 197, max_new_tokens=3).result(GENEROUS_S).tokens
    generator.close()
    small = rules_for(engine, num_kept_tokens=10)
    with Generator(engine, small) as other, pytest.raises(RequestTooLong, match="fit into memory"):
        other.generate([1] * 10, max_new_tokens=2)


def test_an_engine_has_one_generator_at_a_time_and_then_another(engine):
    with Generator(engine) as first:
        with pytest.raises(EngineTaken, match="has a generator already"):
            Generator(engine)
        assert first.generate([3], max_new_tokens=3).result(GENEROUS_S).tokens == expected([3], 3)
    with Generator(engine) as second:
        assert second.generate([4], max_new_tokens=3).result(GENEROUS_S).tokens == expected([4], 3)
    engine.error = EngineDead("rank 0 ended.")
    with Generator(engine) as third, pytest.raises(EngineDead):
        third.generate([4], max_new_tokens=3).result(GENEROUS_S)
    assert engine.keeper.acquire(timeout=GENEROUS_S)


def test_a_generator_leaves_the_names_of_its_callers_alone(engine):
    names = tuple(range(40))
    engine.submit([[n] for n in names], want="next_tokens", kept=Kept(ids=names)).result(GENEROUS_S)
    with Generator(engine) as generator:
        for n in range(5):
            generator.generate([n], max_new_tokens=4).result(GENEROUS_S)
    following = Kept(ids=names, past=(1,) * len(names))
    made = engine.submit([[2]] * len(names), want="next_tokens", kept=following).result(GENEROUS_S)
    assert made.tolist() == [next_token([n, 2]) for n in names]


def test_a_full_queue_refuses(engine):
    engine.gate.clear()
    with Generator(engine, rules_for(engine, max_waiting=1, max_running=1)) as generator:
        running = generator.generate([1], max_new_tokens=2)
        waiting = generator.generate([2], max_new_tokens=2)
        with pytest.raises(QueueFull, match="1 requests wait"):
            generator.generate([3], max_new_tokens=2)
        engine.gate.set()
        assert running.result(GENEROUS_S).tokens == expected([1], 2)
        assert waiting.result(GENEROUS_S).tokens == expected([2], 2)


def test_a_failed_pass_ends_only_who_fails_alone(engine, generator):
    engine.error = RequestFailed("out of memory on rank 1")
    with pytest.raises(RequestFailed, match="out of memory on rank 1"):
        generator.generate([1], max_new_tokens=2).result(GENEROUS_S)
    engine.error = None
    assert generator.generate([1], max_new_tokens=2).result(GENEROUS_S).tokens == expected([1], 2)


def test_a_dead_engine_ends_everybody_now_and_later(engine):
    engine.gate.clear()
    generator = Generator(engine)
    generations = [generator.generate([n], max_new_tokens=9) for n in range(3)]
    engine.error = EngineDead("rank 1 was killed by SIGKILL")
    engine.gate.set()
    for generation in generations:
        with pytest.raises(EngineDead, match="rank 1 was killed"):
            generation.result(GENEROUS_S)
    with pytest.raises(EngineDead, match="rank 1 was killed"):
        generator.generate([1], max_new_tokens=1)
    generator.close()


def test_closing_lets_some_end_and_ends_the_others(engine):
    engine.gate.clear()
    generator = Generator(engine)
    generation = generator.generate([1], max_new_tokens=9)
    generator.close(patience_s=0.0)
    with pytest.raises(EngineClosed, match="before all tokens"):
        generation.result(GENEROUS_S)
    with pytest.raises(EngineClosed):
        generator.generate([1], max_new_tokens=1)


def test_nothing_is_kept_of_thousands_of_requests_of_which_many_were_cancelled(engine):
    chance = random.Random(5)
    with Generator(engine, rules_for(engine, max_waiting=100, max_running=8)) as generator:
        for _ in range(40):
            asked = [
                generator.generate(
                    [n % VOCAB_SIZE] * chance.randint(1, 9), max_new_tokens=chance.randint(1, 6)
                )
                for n in range(50)
            ]
            for generation in chance.sample(asked, 25):
                generation.cancel()
            for generation in asked:
                with suppress(CancelledError):
                    generation.result(GENEROUS_S)
            assert generator.stats.now.num_waiting == 0
        del asked, generation
        generator.generate([1], max_new_tokens=1).result(GENEROUS_S)
        gc.collect()
        left = Counter(type(thing) for thing in gc.get_objects())
        assert left[Generation] == left[SequenceProgress] == 0
        assert len(engine.ranks.kept) == 1
        assert generator.stats.now.num_kept_tokens == 0


def test_an_encoder_generates_nothing():
    bert = replace(ARCHITECTURE, family=Family.BERT)
    with (
        EngineByHand(architecture=bert) as engine,
        Generator(engine) as generator,
        pytest.raises(RequestError, match="bert is an encoder"),
    ):
        generator.generate([1], max_new_tokens=1)

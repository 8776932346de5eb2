"""Generation on real ranks: whoever shares the passes, the tokens are those of transformers' greedy one."""

import random
from dataclasses import replace

import pytest

from tests.workloads.energon.generation_oracle import VOCAB_SIZE, greedy, model_in
from workloads.energon.engine import launch
from workloads.energon.generation import Generator, rules_for

pytestmark = pytest.mark.slow

GENEROUS_S = 120
PLANS = [
    ("gpt2", {"tensor_parallel": 2}),
    ("opt", {"pipeline_parallel": 2}),
    ("llama", {"tensor_parallel": 2, "pipeline_parallel": 2}),
    ("llama", {"is_packed": False}),
]


def requests(seed: int):
    """Prompts of 1 to 90 tokens, longer and shorter than a pass, some with stop tokens."""
    chance = random.Random(seed)
    for length in (1, 2, 3, 7, 31, 40, 64, 90):
        prompt = [chance.randrange(VOCAB_SIZE) for _ in range(length)]
        yield prompt, chance.randint(1, 24), frozenset()
        yield prompt[:5], 20, frozenset(chance.sample(range(VOCAB_SIZE), 4))


@pytest.mark.parametrize(("family", "plan"), PLANS, ids=str)
def test_tokens_are_those_of_transformers(tmp_path, family, plan):
    model = model_in(tmp_path, family)
    asked = list(requests(seed=1))
    expected = [greedy(model, *request) for request in asked]
    assert len({token for tokens in expected for token in tokens}) > VOCAB_SIZE // 3  # the model is not dull
    with launch(tmp_path, dtype="float64", threads_per_rank=1, **plan) as engine:
        rules = rules_for(engine, max_rows=32, max_running=6)
        with Generator(engine, replace(rules, num_kept_tokens=600)) as generator:
            generations = [
                generator.generate(prompt, max_new_tokens=most, stop_ids=list(stops))
                for prompt, most, stops in asked
            ]
            cancelled = [generator.generate([n], max_new_tokens=100) for n in range(3)]
            for generation in cancelled:
                generation.cancel()
            got = [generation.result(GENEROUS_S).tokens for generation in generations]
    assert got == expected

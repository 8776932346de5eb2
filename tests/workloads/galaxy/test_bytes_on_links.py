"""Bytes on links are those of the formulas, counted where they are sent; refused requests send nothing."""

import pytest
import torch

from tests.workloads.galaxy.cluster_in_threads import answers, executors, on_all, plan_of
from tests.workloads.transformer.architectures import BERT, GPT2
from workloads.galaxy.engine.executor import Executor
from workloads.galaxy.engine.message import HEADER_BYTES
from workloads.galaxy.plan import Strategy, even_rows
from workloads.galaxy.traffic import Links, request_traffic
from workloads.galaxy.wire_format import WireFormat, wire_bytes
from workloads.transformer.errors import RequestError
from workloads.transformer.kv_cache import CacheError
from workloads.transformer.layout import Layout
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.want import Want

NUM_ROWS = 23
ITEMSIZE = 8


def sent(plan, architecture=BERT, num_rows: int = NUM_ROWS) -> list[int]:
    """Bytes that each device sends for one request, of which the first row's hidden state is wanted."""
    with executors(architecture, plan, RandomWeights(architecture, 1)) as devices:
        answers(devices, torch.arange(num_rows), Layout(lengths=(num_rows,)), Want.LAST_ROWS)
        return [each.ring.sent_bytes for each in devices]


@pytest.mark.parametrize("wire", list(WireFormat))
@pytest.mark.parametrize("num_tiles", [1, 4])
def test_a_hybrid_pass(wire: WireFormat, num_tiles: int) -> None:
    """A half: all but own rows in sums; all but those of the next device in gathered tiles, not in half 0."""
    plan = plan_of(
        BERT, Strategy.HYBRID, (1.0, 2.0, 1.0), row_weights=(1.0, 3.0, 2.0), num_tiles=num_tiles, wire=wire
    )
    rows = [len(span) for span in plan.row_spans(NUM_ROWS)]
    tiles = [len(plan.tiles(span)) for span in plan.row_spans(NUM_ROWS)]
    halves = 2 * BERT.num_layers
    for place, num_bytes in enumerate(sent(plan)):
        following = (place + 1) % 3
        num = halves * (NUM_ROWS - rows[place]) + (halves - 1) * (NUM_ROWS - rows[following])
        messages = halves * (sum(tiles) - tiles[place]) + (halves - 1) * (sum(tiles) - tiles[following])
        expected = wire_bytes(wire, num, BERT.hidden_size, ITEMSIZE) + messages * HEADER_BYTES
        assert num_bytes == expected  # the first row is on the first device: nobody sends it


@pytest.mark.parametrize("wire", list(WireFormat))
def test_a_pass_of_megatron(wire: WireFormat) -> None:
    plan = plan_of(BERT, Strategy.TENSOR, (1.0, 2.0, 1.0), wire=wire)
    rows = [len(span) for span in even_rows(NUM_ROWS, 3)]
    for place, num_bytes in enumerate(sent(plan)):
        num = 2 * NUM_ROWS - rows[place] - rows[(place + 1) % 3]
        each = wire_bytes(wire, num, BERT.hidden_size, ITEMSIZE) + 4 * HEADER_BYTES
        assert num_bytes == 2 * BERT.num_layers * each


def test_a_pass_of_one_row_tells_all_others() -> None:
    for strategy in (Strategy.HYBRID, Strategy.TENSOR):
        each = wire_bytes(WireFormat.EXACT, 1, BERT.hidden_size, ITEMSIZE) + HEADER_BYTES
        plan = plan_of(BERT, strategy, (1.0, 2.0, 1.0))
        assert sent(plan, num_rows=1) == [2 * BERT.num_layers * 2 * each] * 3


def test_the_mean_device_sends_what_costs_count_of_shared_rows() -> None:
    for architecture in (BERT, GPT2):
        plan = plan_of(architecture, Strategy.SEQUENCE, (1.0,) * 3)
        links = Links(strategy=Strategy.SEQUENCE, num_devices=3, wire=WireFormat.EXACT, itemsize=ITEMSIZE)
        counted = request_traffic(architecture, links, 24, 0)
        answer = 0
        if architecture.is_decoder:
            answer = architecture.vocab_size * ITEMSIZE + HEADER_BYTES
        total = sum(sent(plan, architecture, num_rows=24)) - answer
        assert total / 3 - counted.num_messages * HEADER_BYTES == pytest.approx(counted.num_bytes, abs=1)


@pytest.mark.parametrize("strategy", [Strategy.HYBRID, Strategy.TENSOR])
@pytest.mark.parametrize("num_rows", [1, NUM_ROWS])
def test_the_mean_device_sends_what_costs_count(strategy: Strategy, num_rows: int) -> None:
    plan = plan_of(BERT, strategy, (1.0, 2.0, 1.0))
    links = Links(strategy=strategy, num_devices=3, wire=WireFormat.EXACT, itemsize=ITEMSIZE)
    counted = request_traffic(BERT, links, num_rows, 0)
    mean = sum(sent(plan, num_rows=num_rows)) / 3 - counted.num_messages * HEADER_BYTES
    assert mean == pytest.approx(counted.num_bytes, abs=1)


def test_rows_of_keys_and_values_go_around() -> None:
    plan = plan_of(BERT, Strategy.SEQUENCE, (1.0,) * 3, row_weights=(1.0, 3.0, 2.0), num_tiles=2)
    rows = [len(span) for span in plan.row_spans(NUM_ROWS)]
    for place, num_bytes in enumerate(sent(plan)):
        num = NUM_ROWS - rows[(place + 1) % 3]
        each = wire_bytes(WireFormat.EXACT, num, 2 * BERT.kv_size, ITEMSIZE) + 4 * HEADER_BYTES
        assert num_bytes == BERT.num_layers * each


def test_those_of_a_decoder_go_to_later_places_only() -> None:
    plan = plan_of(GPT2, Strategy.SEQUENCE, (1.0,) * 3, row_weights=(1.0, 3.0, 2.0), num_tiles=2)
    spans = plan.row_spans(NUM_ROWS)
    answer = GPT2.vocab_size * ITEMSIZE + HEADER_BYTES
    for place, num_bytes in enumerate(sent(plan, GPT2)):
        each = wire_bytes(WireFormat.EXACT, spans[place].end, 2 * GPT2.kv_size, ITEMSIZE)
        each += 2 * (place + 1) * HEADER_BYTES
        assert num_bytes == (answer if place == 2 else GPT2.num_layers * each)


def test_they_go_around_where_they_are_kept() -> None:
    plan = plan_of(GPT2, Strategy.SEQUENCE, (1.0,) * 3)
    layout, want = Layout(lengths=(NUM_ROWS,)), Want.NEXT_TOKENS
    rows = [len(span) for span in plan.row_spans(NUM_ROWS)]
    with executors(GPT2, plan, RandomWeights(GPT2, 1)) as devices:

        def asked(each: Executor) -> int:
            each.forward(torch.arange(NUM_ROWS), layout, want, [each.new_cache(NUM_ROWS)])
            return each.ring.sent_bytes

        last = on_all(devices, asked)
    for place, num_bytes in enumerate(last):
        around = wire_bytes(WireFormat.EXACT, NUM_ROWS - rows[(place + 1) % 3], 2 * GPT2.kv_size, ITEMSIZE)
        assert num_bytes >= GPT2.num_layers * around


def test_a_pipeline_sends_each_state_once() -> None:
    each = wire_bytes(WireFormat.EXACT, NUM_ROWS, BERT.hidden_size, ITEMSIZE) + HEADER_BYTES
    answer = wire_bytes(WireFormat.EXACT, 1, BERT.hidden_size, ITEMSIZE) + HEADER_BYTES
    assert sent(plan_of(BERT, Strategy.PIPELINE, (1.0,) * 3)) == [each, each, answer]


def test_what_is_refused_sends_nothing_and_the_next_request_is_answered() -> None:
    plan = plan_of(GPT2, Strategy.HYBRID, (1.0, 1.0))
    with executors(GPT2, plan, RandomWeights(GPT2, 1)) as devices:
        for layout in (Layout(lengths=(GPT2.max_length + 1,)), Layout(lengths=(2, 3))):
            for each in devices:
                with pytest.raises(RequestError):
                    each.forward(torch.arange(GPT2.max_length + 1), layout, Want.LAST_ROWS)
        for each in devices:
            with pytest.raises(CacheError, match="room for 3 tokens, not for 4"):
                each.forward(torch.arange(4), Layout(lengths=(4,)), Want.LAST_ROWS, [each.new_cache(3)])
        assert [each.ring.sent_bytes for each in devices] == [0, 0]
        found = on_all(
            devices, lambda each: each.forward(torch.arange(4), Layout(lengths=(4,)), Want.NEXT_TOKENS)
        )
        assert torch.equal(found[0], found[1])

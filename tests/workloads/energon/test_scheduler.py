"""Continuous batching: whatever comes, fails or is cancelled, each request gets what it would get alone."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.problem import ProblemError
from tests.workloads.energon.ranks_by_hand import VOCAB_SIZE, RanksByHand, alone
from workloads.energon.batch_rules import BatchRules, num_kept_tokens
from workloads.energon.errors import QueueFull
from workloads.energon.generation_request import GenerationRequest, RequestTooLong
from workloads.energon.plan import plan_engine
from workloads.energon.scheduler import Scheduler
from workloads.energon.sequence_progress import Finish
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture

requests = st.builds(
    GenerationRequest,
    prompt=st.lists(st.integers(0, VOCAB_SIZE - 1), min_size=1, max_size=23).map(tuple),
    max_new_tokens=st.integers(1, 9),
    stop_ids=st.frozensets(st.integers(0, VOCAB_SIZE - 1), max_size=30),
)
rules_of_all_kinds = st.builds(
    BatchRules,
    num_kept_tokens=st.integers(32, 120),
    max_rows=st.integers(1, 40),
    max_running=st.integers(1, 6),
    max_waiting=st.just(100),
    num_passes=st.integers(1, 3),
    is_packed=st.booleans(),
)


class Drive:
    """A scheduler, ranks that do its passes in order, and what came out."""

    def __init__(self, rules: BatchRules) -> None:
        self.scheduler, self.ranks = Scheduler(rules), RanksByHand()
        self.under_way = deque()
        self.tokens, self.finished, self.failed, self.cancelled = {}, {}, [], set()
        self.passes = []

    def add(self, request) -> int:
        ticket = self.scheduler.add(request)
        self.tokens[ticket] = []
        return ticket

    def cancel(self, ticket: int) -> None:
        if self.scheduler.cancel(ticket):
            self.cancelled.add(ticket)

    def launch(self) -> bool:
        batch = self.scheduler.next_pass()
        if batch is None:
            return False
        self.under_way.append(batch)
        self.passes.append(batch)
        return True

    def land(self, *, fails: bool = False) -> None:
        batch = self.under_way.popleft()
        ids = [part.sequence_id for part in batch.parts]
        made = self.ranks.do(
            ids,
            [part.num_past for part in batch.parts],
            [part.tokens for part in batch.parts],
            batch.released_ids,
        )
        if fails:
            self.ranks.lose(ids)
            self.failed += self.scheduler.fail(batch)
            return
        for new in self.scheduler.complete(batch, made):
            self.tokens[new.ticket].append(new.token)
            if new.finish is not None:
                self.finished[new.ticket] = new.finish

    def run_out(self) -> None:
        while self.launch() or self.under_way:
            while self.launch():
                pass
            self.land()


@given(rules=rules_of_all_kinds, asked=st.lists(requests, min_size=1, max_size=12))
def test_every_request_gets_what_it_would_get_alone(rules, asked):
    drive = Drive(rules)
    tickets = [drive.add(request) for request in asked]
    drive.run_out()
    assert [drive.tokens[ticket] for ticket in tickets] == [alone(request) for request in asked]
    assert drive.scheduler.is_empty
    assert drive.scheduler.stats.num_kept_tokens == 0


@given(data=st.data(), rules=rules_of_all_kinds)
def test_cancellations_and_failures_leave_the_others_as_they_are(data, rules):
    drive, asked = Drive(rules), {}
    for _ in range(data.draw(st.integers(1, 40))):
        move = data.draw(st.sampled_from(["add", "cancel", "launch", "land", "fail"]))
        if move == "add":
            request = data.draw(requests)
            asked[drive.add(request)] = request
        elif move == "cancel" and asked:
            drive.cancel(data.draw(st.sampled_from(sorted(asked))))
        elif move == "launch":
            drive.launch()
        elif drive.under_way:
            drive.land(fails=move == "fail")
    drive.run_out()
    for ticket, request in asked.items():
        if ticket in drive.cancelled or ticket in drive.failed:
            assert drive.tokens[ticket] == alone(request)[: len(drive.tokens[ticket])]
            assert ticket not in drive.finished
        else:
            assert drive.tokens[ticket] == alone(request)
    assert drive.scheduler.is_empty


@given(rules=rules_of_all_kinds, asked=st.lists(requests, min_size=1, max_size=12))
def test_no_pass_is_beyond_the_limits_and_no_memory_is_used_that_was_not_set_aside(rules, asked):
    drive = Drive(rules)
    for request in asked:
        drive.add(request)
    drive.run_out()
    for batch in drive.passes:
        lengths = [len(part.tokens) for part in batch.parts]
        rows = sum(lengths) if rules.is_packed else max(lengths) * len(lengths)
        assert 1 <= rows <= rules.max_rows
        assert len(lengths) <= rules.max_running
    assert drive.ranks.most_kept <= rules.num_kept_tokens


@given(rules=rules_of_all_kinds, asked=st.lists(requests, min_size=2, max_size=10))
def test_nobody_in_line_is_overtaken_for_ever(rules, asked):
    drive = Drive(rules)
    for request in asked:
        drive.add(request)
    num_parts = sum(-(-(len(r.prompt) + r.max_new_tokens) // rules.max_rows) for r in asked)
    waited = {}
    while drive.launch() or drive.under_way:
        while drive.launch():
            pass
        running = set(drive.tokens) - set(drive.finished)
        served = {part.ticket for batch in drive.under_way for part in batch.parts}
        waiting = drive.scheduler.stats.num_waiting
        admitted = sorted(running)[: len(running) - waiting]
        waited = {ticket: waited.get(ticket, 0) + 1 for ticket in admitted if ticket not in served}
        assert all(
            turns <= len(asked) + num_parts + sum(len(r.prompt) for r in asked) for turns in waited.values()
        )
        drive.land()
    assert len(drive.finished) == len(asked)


def test_decoding_goes_on_while_a_long_prompt_is_read_in_parts():
    drive = Drive(BatchRules(num_kept_tokens=10_000, max_rows=16))
    talker = drive.add(GenerationRequest(prompt=(1, 2), max_new_tokens=20))
    drive.launch()
    drive.land()
    reader = drive.add(GenerationRequest(prompt=tuple(range(90)), max_new_tokens=1))
    while drive.launch():
        drive.land()
    reading = [batch for batch in drive.passes if reader in {part.ticket for part in batch.parts}]
    assert len(reading) == 6
    assert all(talker in {part.ticket for part in batch.parts} for batch in reading)
    assert all(batch.num_rows <= 16 for batch in drive.passes)


def test_requests_are_admitted_in_their_order_even_where_a_later_one_would_fit():
    drive = Drive(BatchRules(num_kept_tokens=30))
    first = drive.add(GenerationRequest(prompt=(1,) * 20, max_new_tokens=4))
    large = drive.add(GenerationRequest(prompt=(2,) * 20, max_new_tokens=4))
    small = drive.add(GenerationRequest(prompt=(3,), max_new_tokens=1))
    drive.run_out()
    beginnings = [part.ticket for batch in drive.passes for part in batch.parts if part.num_past == 0]
    assert beginnings == [first, large, small]


def test_stages_of_a_pipeline_each_get_a_part_of_the_sequences():
    drive = Drive(BatchRules(num_kept_tokens=1000, num_passes=2))
    for token in range(4):
        drive.add(GenerationRequest(prompt=(token,), max_new_tokens=3))
    assert drive.launch()
    assert drive.launch()
    assert not drive.launch()
    assert [len(batch.parts) for batch in drive.passes] == [2, 2]


def test_a_request_that_fails_alone_fails_and_those_that_shared_its_pass_do_not():
    drive = Drive(BatchRules(num_kept_tokens=1000))
    good = GenerationRequest(prompt=(5, 6), max_new_tokens=4)
    tickets = [drive.add(good) for _ in range(3)]
    culprit = drive.add(GenerationRequest(prompt=(66,), max_new_tokens=4))
    while drive.launch():
        drive.land(fails=any(part.ticket == culprit for part in drive.under_way[0].parts))
    assert drive.failed == [culprit]
    assert [drive.tokens[ticket] for ticket in tickets] == [alone(good)] * 3


def test_a_stop_token_is_the_last_and_is_given():
    request = GenerationRequest(prompt=(1, 2, 3), max_new_tokens=8)
    stop = alone(request)[2]
    drive = Drive(BatchRules(num_kept_tokens=100))
    ticket = drive.add(GenerationRequest(prompt=(1, 2, 3), max_new_tokens=8, stop_ids=frozenset({stop})))
    drive.run_out()
    assert drive.tokens[ticket] == alone(request)[: alone(request).index(stop) + 1]
    assert drive.finished[ticket] is Finish.STOP


def test_a_request_beyond_the_memory_is_refused_by_its_name():
    scheduler = Scheduler(BatchRules(num_kept_tokens=10))
    with pytest.raises(RequestTooLong, match="12 tokens are beyond the 10"):
        scheduler.add(GenerationRequest(prompt=(1,) * 8, max_new_tokens=5))
    scheduler.add(GenerationRequest(prompt=(1,) * 8, max_new_tokens=3))


def test_a_full_queue_refuses_and_has_room_again_after_a_cancellation():
    scheduler = Scheduler(BatchRules(num_kept_tokens=100, max_running=1, max_waiting=2))
    request = GenerationRequest(prompt=(1,), max_new_tokens=1)
    scheduler.add(request)
    first, _ = scheduler.add(request), scheduler.add(request)
    with pytest.raises(QueueFull, match="2 requests wait"):
        scheduler.add(request)
    assert scheduler.cancel(first)
    assert not scheduler.cancel(first)
    scheduler.add(request)


def test_what_a_cancelled_request_holds_is_free_only_when_no_pass_uses_it():
    drive = Drive(BatchRules(num_kept_tokens=100))
    ticket = drive.add(GenerationRequest(prompt=(1, 2), max_new_tokens=9))
    drive.launch()
    assert drive.scheduler.cancel(ticket)
    assert drive.scheduler.stats.num_kept_tokens == 10
    drive.land()
    assert drive.scheduler.stats.num_kept_tokens == 0
    drive.add(GenerationRequest(prompt=(4,), max_new_tokens=1))
    drive.run_out()
    assert set(drive.ranks.kept) == {-2}
    assert drive.tokens[ticket] == []


def test_giving_up_names_all_that_is_kept():
    drive = Drive(BatchRules(num_kept_tokens=100, max_running=2))
    for _ in range(3):
        drive.add(GenerationRequest(prompt=(1,), max_new_tokens=5))
    drive.launch()
    assert drive.scheduler.drop_all() == (-1, -2)
    assert drive.scheduler.is_empty


def test_rules_within_which_nothing_runs_are_refused():
    with pytest.raises(ProblemError, match="num_kept_tokens is 0"):
        BatchRules(num_kept_tokens=0)


def test_the_fullest_rank_bounds_the_tokens_that_can_be_kept():
    architecture = TransformerArchitecture(
        family=Family.LLAMA,
        num_layers=3,
        hidden_size=48,
        num_heads=6,
        num_kv_heads=3,
        head_size=8,
        ffn_size=64,
        vocab_size=97,
        max_length=64,
        activation=Activation.SILU,
        norm_epsilon=1e-5,
    )
    plan = plan_engine(architecture, tensor_parallel=2, pipeline_parallel=2)
    # Rank 0 has 2 of 3 heads, and one of the stages 2 of 3 layers: keys and values of 2 x 2 x 8 numbers.
    assert num_kept_tokens(architecture, plan, cache_bytes=10_000, element_bytes=4) == 10_000 // (
        2 * 2 * 2 * 8 * 4
    )

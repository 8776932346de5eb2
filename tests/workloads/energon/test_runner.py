"""One rank alone: what a command leaves behind, and what a failure does."""

import pytest
import torch

from tests.workloads.energon.pipeline_stage import NUM_SUMS, TINY, AddingStage
from workloads.energon.command import Command
from workloads.energon.plan import plan_engine
from workloads.energon.ranks import open_ranks
from workloads.energon.runner import StageRunner
from workloads.transformer.kv_cache import CachePool
from workloads.transformer.layout import Layout
from workloads.transformer.place import Place
from workloads.transformer.split import Span
from workloads.transformer.want import Want
from workloads.transport.link_error import LinkError

HOST = Place(device=torch.device("cpu"), dtype=torch.float32)


class Alone:
    """A runner of one rank with caches for two sequences of a block each."""

    def __init__(self) -> None:
        plan = plan_engine(TINY)
        self.told: list[str] = []
        ranks = open_ranks(plan, 0, meter=self.told.append)
        self.stage = AddingStage(ranks)
        layers = Span(0, TINY.num_layers)
        room = 2 * 64 * 2 * TINY.num_layers * TINY.kv_size * 4
        self.pool = CachePool(room, TINY, layers, plan.share_of(0), HOST)
        self.runner = StageRunner(self.stage, ranks, self.pool)

    def do(self, key: int, lengths: tuple[int, ...], **sequences: tuple[int, ...]) -> str:
        """How a command failed."""
        past = sequences.pop("past", ())
        layout = Layout(lengths=lengths, past=past)
        tokens = torch.zeros(layout.num_rows, dtype=torch.int64)
        command = Command(key=key, layout=layout, tokens=tokens, want=Want.ALL_ROWS, **sequences)
        answer = self.runner.do(command)
        assert answer is not None
        assert answer.key == key
        assert (answer.rows is None) == bool(answer.failure)
        return answer.failure


def test_a_rank_alone_answers_and_tells_what_it_did() -> None:
    alone = Alone()
    layout = Layout(lengths=(2, 1))
    answer = alone.runner.do(
        Command(key=7, layout=layout, tokens=torch.tensor([3, 4, 5]), want=Want.ALL_ROWS)
    )
    assert answer is not None
    assert answer.rows is not None
    assert answer.rows[:, 0].tolist() == [3.0 + NUM_SUMS, 4.0 + NUM_SUMS, 5.0 + NUM_SUMS]
    assert alone.told == ["compute", "communication"]


@pytest.mark.parametrize("place", ["begin", "middle", "gather", "end"])
def test_a_failure_is_the_answer_and_the_next_command_works(place: str) -> None:
    alone = Alone()
    alone.stage.fault = place
    assert alone.do(0, (2,)) == f"MemoryError: nothing left at the {place} (rank 0)"
    alone.stage.fault = ""
    assert alone.do(1, (2,)) == ""


def test_tokens_that_are_not_as_many_as_the_layout_says_fail() -> None:
    alone = Alone()
    command = Command(
        key=0, layout=Layout(lengths=(2,)), tokens=torch.zeros(3, dtype=torch.int64), want=Want.ALL_ROWS
    )
    answer = alone.runner.do(command)
    assert answer is not None
    assert answer.failure == "ValueError: command 0 has 2 rows, but 3 arrived (rank 0)"


def test_sequences_are_kept_until_they_are_released() -> None:
    alone = Alone()
    assert alone.do(0, (1, 2), sequence_ids=(5, 6)) == ""
    assert alone.pool.num_sequences == 2
    assert alone.do(1, (3,), released_ids=(5, 99)) == ""
    assert alone.pool.num_sequences == 1


def test_a_sequence_without_room_fails_by_name_and_room_that_was_released_is_used() -> None:
    alone = Alone()
    assert alone.do(0, (1, 2), sequence_ids=(5, 6)) == ""
    assert "CacheError" in alone.do(1, (1,), sequence_ids=(7,))
    assert alone.do(2, (1,), sequence_ids=(7,), released_ids=(6,)) == ""


def test_the_sequences_of_a_failed_pass_are_forgotten() -> None:
    alone = Alone()
    alone.stage.fault = "middle"
    assert alone.do(0, (1, 2), sequence_ids=(5, 6))
    assert alone.pool.num_sequences == 0
    alone.stage.fault = ""
    assert "CacheError" in alone.do(1, (1,), sequence_ids=(5,), past=(1,))


def test_a_stage_that_sums_more_often_than_it_announced_fails() -> None:
    alone = Alone()
    alone.stage.num_sums = NUM_SUMS - 1  # type: ignore[misc]
    assert "more than the 3 sums" in alone.do(0, (1,))


def test_there_is_nothing_to_take_from_or_give_to() -> None:
    links = open_ranks(plan_engine(TINY), 0).links
    assert links.is_first
    assert links.is_last
    with pytest.raises(LinkError, match="no stage before it"):
        links.take()


def test_several_ranks_need_a_process_group() -> None:
    with pytest.raises(ValueError, match="default process group"):
        open_ranks(plan_engine(TINY, pipeline_parallel=2), 0)

from dataclasses import asdict

import pytest
import torch

from saih.domain.record import Outcome
from saih.harness.ending import COMPLETED, MAX_MESSAGE_BYTES, Ending, ending_of, severity
from saih.machine.messages import encode
from workloads.energon.rank_errors import PassError
from workloads.transport.link_error import LinkError


def test_a_refused_allocation_of_torch_is_lack_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    ending = ending_of(caught.value, rank=3)
    assert ending.outcome is Outcome.OUT_OF_MEMORY
    assert "rank 3 ran out of memory" in ending.reason


@pytest.mark.parametrize("error", [MemoryError("no room"), torch.OutOfMemoryError("CUDA out of memory")])
def test_memory_errors_are_lack_of_memory(error: Exception) -> None:
    assert ending_of(error, rank=0).outcome is Outcome.OUT_OF_MEMORY


def test_another_exception_is_a_failure_that_names_rank_type_and_message() -> None:
    ending = ending_of(ValueError("depth is 0\nsecond line"), rank=1)
    assert ending == Ending(outcome=Outcome.FAILED, reason="rank 1 raised ValueError: depth is 0")


def test_an_exception_without_text_still_has_a_reason() -> None:
    assert ending_of(KeyError(), rank=0).reason == "rank 0 raised KeyError: no message"


@pytest.mark.parametrize("character", ["a", '"', "é", "\x1b", "\U0001f600", "\udc80"])
def test_the_longest_reason_fits_a_message_between_ranks(character: str) -> None:
    ending = ending_of(ValueError(3000 * character), rank=10**6)
    assert len(encode(asdict(ending))) <= MAX_MESSAGE_BYTES


def test_the_cause_wins_over_its_echo_and_lack_of_memory_over_all() -> None:
    echo = ending_of(RuntimeError("[/x/gloo/transport/tcp/pair.cc:1] Connection closed by peer"), rank=0)
    cause = ending_of(ValueError("boom"), rank=1)
    memory = ending_of(MemoryError(), rank=2)
    diverged = Ending(outcome=Outcome.DIVERGED)
    assert echo.is_echo
    assert severity(memory) < severity(cause) == severity(diverged) < severity(echo) < severity(COMPLETED)


def test_a_lost_connection_within_a_divided_model_is_an_echo_and_its_lack_of_memory_is_none() -> None:
    assert ending_of(LinkError("the connection to rank 1 is lost: it has closed"), rank=0).is_echo
    lacking = ending_of(PassError("MemoryError: no room for 3 GB (rank 1)"), rank=1)
    assert lacking.outcome is Outcome.OUT_OF_MEMORY

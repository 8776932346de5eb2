"""Requests from their admission to their end, and the places that they wait on."""

import gc
import sys
import threading
import weakref
from concurrent.futures import CancelledError, Future, wait
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from workloads.energon.command import Answer
from workloads.energon.errors import EngineDead, RequestFailed
from workloads.energon.ledger import Ledger
from workloads.energon.request import Kept, Request
from workloads.energon.room import Room
from workloads.transformer.layout import Layout
from workloads.transformer.want import Want
from workloads.transport.frames import WireError

DEAD = partial(EngineDead, "rank 1 was killed")


def a_request() -> Request:
    return Request(
        layout=Layout(lengths=(2,)), tokens=torch.tensor([1, 2]), want=Want.ALL_ROWS, kept=Kept(ids=(9,))
    )


def admitted(ledger: Ledger) -> Future[Tensor]:
    ledger.room.ask().result(timeout=0)
    return ledger.admit(a_request())


def answered(ledger: Ledger, key: int) -> None:
    ledger.report(Answer(key=key, rows=torch.tensor([float(key)])))


def test_requests_become_commands_in_their_order_with_rising_keys() -> None:
    ledger = Ledger(max_queued=3, num_reports=1)
    futures = [admitted(ledger) for _ in range(3)]
    commands = [ledger.next_command() for _ in range(4)]
    assert [command.key for command in commands if command] == [0, 1, 2]
    assert commands[3] is None
    for key in (2, 0, 1):
        answered(ledger, key)
    assert [float(future.result()) for future in futures] == [0.0, 1.0, 2.0]
    assert ledger.is_empty
    assert (ledger.stats.done, ledger.stats.queued, ledger.stats.in_flight) == (3, 0, 0)


def test_a_request_ends_when_every_rank_of_the_last_stage_has_reported() -> None:
    ledger = Ledger(max_queued=1, num_reports=3)
    future = admitted(ledger)
    ledger.next_command()
    ledger.report(Answer(key=0, rows=None))
    ledger.report(Answer(key=0, rows=torch.ones(1)))
    assert not future.done()
    ledger.report(Answer(key=0, rows=None))
    assert float(future.result()) == 1.0


def test_the_failure_of_one_rank_is_that_of_the_request_alone() -> None:
    ledger = Ledger(max_queued=2, num_reports=2)
    failing, other = admitted(ledger), admitted(ledger)
    ledger.next_command()
    ledger.next_command()
    ledger.report(Answer(key=0, rows=torch.ones(1)))
    ledger.report(Answer(key=0, rows=None, failure="ValueError: no (rank 1)"))
    ledger.report(Answer(key=1, rows=torch.ones(1)))
    ledger.report(Answer(key=1, rows=None))
    with pytest.raises(RequestFailed, match=r"ValueError: no \(rank 1\)"):
        failing.result()
    assert float(other.result()) == 1.0
    assert (ledger.stats.done, ledger.stats.failed) == (1, 1)


def test_an_answer_to_nothing_is_refused() -> None:
    ledger = Ledger(max_queued=1, num_reports=1)
    with pytest.raises(WireError, match="command 5"):
        answered(ledger, 5)


def test_what_is_cancelled_in_the_queue_is_never_sent_and_leaves_its_place() -> None:
    ledger = Ledger(max_queued=1, num_reports=1)
    future = admitted(ledger)
    late = ledger.room.ask()
    assert not late.done()
    assert future.cancel()
    assert wait([future], timeout=0).done == {future}
    late.result(timeout=0)
    kept = ledger.admit(a_request())
    assert ledger.next_command() is not None
    assert not kept.cancel()
    assert ledger.next_command() is None
    assert ledger.stats.cancelled == 1


def asking(ledger: Ledger, *, released: tuple[int, ...] = ()) -> Future[Tensor]:
    """A request that gives up some sequences, admitted."""
    ledger.room.ask().result(timeout=0)
    return ledger.admit(replace(a_request(), kept=Kept(released=released)))


def released(ledger: Ledger) -> set[int]:
    command = ledger.next_command()
    assert command is not None
    return set(command.released_ids)


def test_what_a_cancelled_request_was_to_release_the_next_one_releases_and_none_before_it() -> None:
    ledger = Ledger(max_queued=9, num_reports=1)
    asking(ledger, released=(1,))
    cancelled = [asking(ledger, released=(2, 3)), asking(ledger, released=(3, 4))]
    asking(ledger, released=(5,))
    last = asking(ledger, released=(6,))
    for future in (*cancelled, last):
        assert future.cancel()
    assert released(ledger) == {1}
    assert released(ledger) == {2, 3, 4, 5}
    assert ledger.is_empty is False
    asking(ledger)
    assert released(ledger) == {6}
    asking(ledger)
    assert released(ledger) == set()


def test_what_a_request_was_to_release_that_could_not_be_sent_the_next_one_releases() -> None:
    ledger = Ledger(max_queued=9, num_reports=1)
    future = asking(ledger, released=(1, 2))
    command = ledger.next_command()
    assert command is not None
    ledger.fail_unsent(command, "too large")
    with pytest.raises(RequestFailed, match="too large"):
        future.result(timeout=0)
    asking(ledger, released=(3,))
    assert released(ledger) == {1, 2, 3}


def test_a_name_that_is_used_between_two_cancelled_requests_is_released_behind_its_use() -> None:
    ledger = Ledger(max_queued=9, num_reports=1)
    first, _, last = asking(ledger, released=(1,)), asking(ledger), asking(ledger, released=(1,))
    last.cancel()
    first.cancel()
    assert released(ledger) == set()
    asking(ledger)
    assert released(ledger) == {1}


def test_so_many_names_are_left_behind_that_one_message_would_be_too_large() -> None:
    ledger = Ledger(max_queued=9, num_reports=1)
    most = 1 << 16
    asking(ledger, released=tuple(range(most + 5))).cancel()
    counts = []
    for _ in range(3):
        asking(ledger)
        counts.append(len(released(ledger)))
    assert counts == [most, 5, 0]


def test_all_that_waits_or_is_worked_on_gets_the_error_and_so_does_what_comes_later() -> None:
    ledger = Ledger(max_queued=2, num_reports=1)
    in_flight = admitted(ledger)
    ledger.next_command()
    queued, cancelled = admitted(ledger), admitted(ledger)
    for_room = ledger.room.ask()
    cancelled.cancel()
    for_room.result(timeout=0)
    later_for_room = ledger.room.ask()
    ledger.refuse_all(DEAD)
    for future in (in_flight, queued, later_for_room, ledger.room.ask()):
        with pytest.raises(EngineDead, match="rank 1 was killed"):
            future.result(timeout=0)
    with pytest.raises(EngineDead):
        ledger.admit(a_request())
    with pytest.raises(CancelledError):
        cancelled.result(timeout=0)
    assert (ledger.stats.failed, ledger.stats.cancelled, ledger.is_empty) == (2, 1, True)
    assert "rank 1" in ledger.closed_by


def test_everyone_gets_an_error_of_his_own() -> None:
    ledger = Ledger(max_queued=2, num_reports=1)
    futures = [admitted(ledger), admitted(ledger)]
    ledger.refuse_all(DEAD)
    assert futures[0].exception() is not futures[1].exception()


def test_nothing_is_kept_of_what_was_answered() -> None:
    ledger = Ledger(max_queued=1, num_reports=1)
    request = a_request()
    ledger.room.ask().result(timeout=0)
    future = ledger.admit(request)
    tokens, rows = weakref.ref(request.tokens), weakref.ref(future)
    ledger.next_command()
    answered(ledger, 0)
    del request, future
    gc.collect()
    assert tokens() is None
    assert rows() is None


def test_places_are_handed_out_in_the_order_in_which_they_were_asked_for() -> None:
    room = Room(1)
    first, second, third = room.ask(), room.ask(), room.ask()
    assert [place.done() for place in (first, second, third)] == [True, False, False]
    room.withdraw(second)
    room.give_back()
    assert third.done()
    assert not room.ask().done()


def test_a_place_that_was_given_to_somebody_who_left_goes_back() -> None:
    room = Room(1)
    room.ask()
    late = room.ask()
    room.give_back()
    room.withdraw(late)
    assert room.ask().done()


def test_many_threads_share_few_places_without_losing_one() -> None:
    room, num_inside, most = Room(3), 0, 0
    lock = threading.Lock()

    def visit() -> None:
        nonlocal num_inside, most
        for turn in range(200):
            place = room.ask()
            if turn % 7 == 0 and not place.done():
                room.withdraw(place)
                continue
            place.result(timeout=60)
            with lock:
                num_inside += 1
                most = max(most, num_inside)
            with lock:
                num_inside -= 1
            room.give_back()

    threads = [threading.Thread(target=visit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert most <= 3
    assert [room.ask().done() for _ in range(4)] == [True, True, True, False]


def test_of_those_who_leave_a_full_room_nothing_is_kept() -> None:
    room = Room(1)
    room.ask()
    left = [room.ask() for _ in range(3)]
    left[0].cancel()  # as an event loop does it, before it withdraws
    for place in left:
        room.withdraw(place)
    kept = [weakref.ref(place) for place in left]
    del left, place
    gc.collect()
    assert [each() for each in kept] == [None, None, None]
    room.give_back()
    assert [room.ask().done() for _ in range(2)] == [True, False]


def test_a_dead_engine_tells_everybody_who_died_and_not_its_last_words() -> None:
    ledger = Ledger(max_queued=1, num_reports=1)
    ledger.refuse_all(partial(EngineDead, "rank 1 was killed.", "/a/path"))
    assert ledger.closed_by == "rank 1 was killed."


def test_a_callback_that_wants_to_end_its_thread_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(max_queued=3, num_reports=1)
    futures = [admitted(ledger) for _ in range(3)]
    for future in futures:
        future.add_done_callback(lambda _: sys.exit(3))
    ledger.next_command()
    answered(ledger, 0)
    command = ledger.next_command()
    assert command is not None
    ledger.fail_unsent(command, "no")
    ledger.refuse_all(DEAD)
    assert all(future.done() for future in futures)
    assert len(caplog.records) == 3


def test_a_place_that_is_withdrawn_twice_goes_back_once() -> None:
    room = Room(1)
    place = room.ask()
    room.withdraw(place)
    room.withdraw(place)
    assert [room.ask().done() for _ in range(2)] == [True, False]

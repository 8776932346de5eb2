"""Who holds up the others: noticed by the time without an end, named by what each rank says that it does."""

import math
import queue
import threading
from collections.abc import Callable
from types import CodeType

import pytest

from tests.workloads.energon.stand_in import until
from workloads.energon import inlet
from workloads.energon.control_frames import whereabouts_frame, whereabouts_of
from workloads.energon.roll_call import RollCall
from workloads.energon.whereabouts import Doing, Whereabouts, whereabouts
from workloads.transport.frames import Frame, WireError

LIMIT_S = 10.0
NOBODY: CodeType = (lambda: None).__code__


def found(doing: Doing) -> Whereabouts:
    return Whereabouts(doing=doing, stack=f"in {doing}")


class Called:
    """A roll call of three ranks, and how often they were asked."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self.times = 0
        self.roll = RollCall(limit_s, 3, self._ask)

    def verdict(self, now_s: float, *, is_busy: bool = True, num_ended: int = 0) -> str:
        made = self.roll.verdict(now_s, is_busy=is_busy, num_ended=num_ended)
        return "" if made is None else str(made())

    def asked(self) -> "Called":
        assert self.verdict(0.0) == self.verdict(LIMIT_S) == ""
        assert self.times == 1
        return self

    def _ask(self) -> None:
        self.times += 1


def test_an_idle_engine_is_never_asked() -> None:
    called = Called()
    for now_s in (0.0, 1e6, 2e6):
        assert called.verdict(now_s, is_busy=False) == ""
        assert called.roll.deadline_s == math.inf
    assert called.times == 0


def test_as_long_as_something_ends_now_and_then_nobody_is_asked() -> None:
    called = Called()
    for turn in range(5):
        assert called.verdict(turn * 0.9 * LIMIT_S, num_ended=turn) == ""
    assert called.times == 0
    assert called.roll.deadline_s == pytest.approx(4 * 0.9 * LIMIT_S + LIMIT_S)


def test_the_time_begins_with_the_request_and_not_with_the_one_before() -> None:
    called = Called()
    called.verdict(0.0)
    called.verdict(1.0, is_busy=False, num_ended=1)
    assert called.verdict(1000.0, num_ended=1) == ""
    assert called.roll.deadline_s == 1000.0 + LIMIT_S


def test_an_end_after_the_question_lets_the_engine_go_on() -> None:
    called = Called().asked()
    assert called.verdict(LIMIT_S + 1.0, num_ended=1) == ""
    assert called.verdict(LIMIT_S + 100.0, num_ended=1) == ""
    assert called.times == 2


def test_without_a_limit_nobody_is_ever_asked() -> None:
    called = Called(math.inf)
    assert called.verdict(0.0) == called.verdict(1e12) == ""
    assert called.roll.deadline_s == math.inf
    assert called.times == 0


def test_who_works_while_others_wait_is_named_as_soon_as_all_have_answered() -> None:
    called = Called().asked()
    for rank, doing in enumerate((Doing.WAIT, Doing.REST)):
        called.roll.hear(rank, found(doing))
        assert called.verdict(LIMIT_S) == ""
    called.roll.hear(2, found(Doing.WORK))
    told = called.verdict(LIMIT_S)
    assert told.startswith(
        "no request was finished within 10 s (request_limit_s): rank 2 of 3 did not come to an end."
    )
    assert "rank 2:\nin work" in told


def test_who_says_nothing_is_named_before_who_works() -> None:
    called = Called().asked()
    called.roll.hear(1, found(Doing.WORK))
    assert called.verdict(LIMIT_S + 1.0) == ""
    late_s = called.roll.deadline_s
    assert "ranks 0, 2 of 3 did not answer." in called.verdict(late_s)


def test_ranks_that_wait_for_each_other_are_told_so() -> None:
    called = Called().asked()
    for rank in range(3):
        called.roll.hear(rank, found(Doing.WAIT))
    assert "all 3 ranks wait for each other." in called.verdict(LIMIT_S)


def looked_at(
    work: Callable[[], object], end: Callable[[], None], rest: CodeType, doing: Doing
) -> Whereabouts:
    """What a thread does that has come into the middle of its work."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    until(lambda: whereabouts(thread, rest).doing is doing)
    seen = whereabouts(thread, rest)
    end()
    thread.join()
    return seen


def test_a_thread_that_computes_is_told_from_one_that_has_nothing_to_do() -> None:
    gate = threading.Event()

    def hang() -> None:
        gate.wait()

    assert "hang" in looked_at(hang, gate.set, NOBODY, Doing.WORK).stack
    inbox: queue.SimpleQueue[None] = queue.SimpleQueue()

    def idle() -> None:
        inbox.get()

    looked_at(idle, lambda: inbox.put(None), idle.__code__, Doing.REST)


def test_a_thread_that_waits_for_rows_waits_for_another_rank() -> None:
    waiting = object.__new__(inlet.Inlet)
    waiting._thread = threading.current_thread()
    waiting._arrived = queue.SimpleQueue()
    arrived = inlet._Arrived(header=None)  # type: ignore[arg-type]  # nobody looks at it
    looked_at(waiting._next, lambda: waiting._arrived.put(arrived), NOBODY, Doing.WAIT)


def test_what_a_rank_does_is_told_whole_and_nothing_else_is_taken_for_it() -> None:
    seen = found(Doing.WAIT)
    assert whereabouts_of(whereabouts_frame(seen)) == seen
    for header in ({"kind": "whereabouts"}, {"kind": "whereabouts", "doing": "flee", "stack": ""}):
        with pytest.raises(WireError):
            whereabouts_of(Frame(header=header))

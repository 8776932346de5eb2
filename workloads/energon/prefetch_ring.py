"""Bringing things in before they are used, always in the same turn: slots, credits, a thread.

It knows nothing of weights: things have keys (numbers), places to work in have slots (numbers).
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Thread

from workloads.energon.parking_error import ParkingError
from workloads.energon.parking_plan import num_buffers

Fetch = Callable[[int, int], None]
"""``fetch(key, slot)`` brings a thing into a slot; the ring's thread calls it, never twice at a time."""


class PrefetchRing:
    """Things used in turns, the first again after the last, each fetched into a free slot before its turn.

    A slot is a credit: the thread fetches the next thing as soon as one is free. With one slot more than
    ``distance``, that many things are there or on their way while another is used. At distance 0 nothing is
    fetched before it is asked for. Who takes a thing out of turn gets it later, not wrongly: what was fetched
    in vain is forgotten, and the turn goes on from there. One thread may take.
    """

    def __init__(self, keys: Sequence[int], fetch: Fetch, *, distance: int) -> None:
        self._keys = tuple(keys)
        self._fetch = fetch
        self._num_slots = num_buffers(len(keys), distance)
        self._free = deque(range(self._num_slots))
        self._coming: deque[_Coming] = deque()
        self._next = 0
        self._num_taken = 0
        self._is_on_demand = distance == 0
        self._is_asked = False
        self._is_closed = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="prefetch", daemon=True)
        self._thread.start()

    def take(self, key: int) -> int:
        """The slot of what is asked for, once it is there; it stays there until ``give_back``.

        Raises:
            ParkingError: when it could not be fetched (the next ``take`` tries again), when every slot is
                taken already, or when the ring is closed.
        """
        with self._changed:
            self._forget_all_before(key)
            if not self._coming and self._num_taken == self._num_slots:
                raise ParkingError(
                    f"layer {key} is asked for while {self._num_slots} parked layers are in use, and there "
                    "are no more buffers; leave one layer before the next, or raise prefetch_distance."
                )
            self._is_asked = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_closed or self._has_come())
            self._is_asked = False
            if self._is_closed:
                raise ParkingError(f"layer {key} is asked for after its store was closed.")
            return self._slot_of(self._coming.popleft())

    def give_back(self, slot: int) -> None:
        """Let the slot be filled anew."""
        with self._changed:
            self._num_taken -= 1
            self._free.append(slot)
            self._changed.notify_all()

    def close(self) -> None:
        """End the thread; who waits gets an error."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    def _forget_all_before(self, key: int) -> None:
        while self._coming and self._coming[0].key != key:
            coming = self._coming.popleft()
            coming.is_forgotten = True
            if coming.has_come:
                self._free.append(coming.slot)
        if not self._coming:
            self._next = self._keys.index(key)

    def _has_come(self) -> bool:
        return bool(self._coming) and self._coming[0].has_come

    def _slot_of(self, coming: "_Coming") -> int:
        if coming.failure is None:
            self._num_taken += 1
            return coming.slot
        self._free.append(coming.slot)
        self._changed.notify_all()
        raise ParkingError(
            f"layer {coming.key} could not be fetched: {type(coming.failure).__name__}: {coming.failure}"
        ) from coming.failure

    def _run(self) -> None:
        while (coming := self._begin()) is not None:
            failure: Exception | None = None
            try:
                self._fetch(coming.key, coming.slot)
            except Exception as error:  # whatever it is, it belongs to who uses the layer
                failure = error
            self._end(coming, failure)

    def _begin(self) -> "_Coming | None":
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._may_fetch())
            if self._is_closed:
                return None
            coming = _Coming(key=self._keys[self._next], slot=self._free.popleft())
            self._coming.append(coming)
            self._next = (self._next + 1) % len(self._keys)
            return coming

    def _may_fetch(self) -> bool:
        return bool(self._free) and (not self._is_on_demand or (self._is_asked and not self._coming))

    def _end(self, coming: "_Coming", failure: Exception | None) -> None:
        with self._changed:
            coming.failure, coming.has_come = failure, True
            if coming.is_forgotten:
                self._free.append(coming.slot)
            self._changed.notify_all()


@dataclass(slots=True, kw_only=True)
class _Coming:
    """A thing on its way, or there; the ring's lock guards it."""

    key: int
    slot: int
    has_come: bool = False
    is_forgotten: bool = False
    failure: Exception | None = None

"""Places in a bounded queue, handed out in the order in which they were asked for."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from weakref import WeakSet


class Room:
    """``size`` places. Whoever finds none waits for a future, in a thread or in an event loop."""

    def __init__(self, size: int) -> None:
        self._num_free = size
        self._waiting: dict[Future[None], None] = {}
        """Those that wait, in their order; who leaves is found at once."""
        self._withdrawn: WeakSet[Future[None]] = WeakSet()
        self._closed_by: Callable[[], Exception] | None = None
        self._lock = threading.Lock()

    def ask(self) -> Future[None]:
        """A place, once the future is done; its error, when the room was closed."""
        place: Future[None] = Future()
        with self._lock:
            if self._closed_by is not None:
                place.set_exception(self._closed_by())
            elif self._num_free:
                self._num_free -= 1
                place.set_result(None)
            else:
                self._waiting[place] = None
        return place

    def give_back(self) -> None:
        """Leave a place to whoever waits longest."""
        with self._lock:
            heir = self._heir()
            self._num_free += heir is None
        if heir is not None:
            heir.set_result(None)

    def withdraw(self, place: Future[None]) -> None:
        """Do not wait any longer; what was handed out meanwhile goes back, once."""
        with self._lock:
            self._waiting.pop(place, None)
            is_known = place in self._withdrawn
            self._withdrawn.add(place)
        if not is_known and not place.cancel() and place.exception() is None:
            self.give_back()

    def close(self, error: Callable[[], Exception]) -> None:
        """Whoever waits, or asks later, gets an error of this making."""
        with self._lock:
            self._closed_by = error
            waiting = [place for place in self._waiting if place.set_running_or_notify_cancel()]
            self._waiting.clear()
        for place in waiting:
            place.set_exception(error())

    def _heir(self) -> Future[None] | None:
        while self._waiting:
            place = next(iter(self._waiting))
            del self._waiting[place]
            if place.set_running_or_notify_cancel():
                return place
        return None

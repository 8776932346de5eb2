"""The prefetching ring: turns, credits, errors, ends; conditions are waited for, never times."""

from threading import Event, Lock, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.energon.parking_error import ParkingError
from workloads.energon.prefetch_ring import PrefetchRing

PATIENCE_S = 60.0


class Shelf:
    """Slots that remember what was fetched into them, and in which order."""

    def __init__(self) -> None:
        self.slots: dict[int, int] = {}
        self.fetched: list[int] = []
        self.failures: dict[int, Exception] = {}
        self.gate = Event()
        self.gate.set()
        self._lock = Lock()
        self._reached: dict[int, Event] = {}

    def fetch(self, key: int, slot: int) -> None:
        assert self.gate.wait(PATIENCE_S)
        with self._lock:
            self.fetched.append(key)
            count = self._reached.setdefault(len(self.fetched), Event())
        if key in self.failures:
            count.set()
            raise self.failures.pop(key)
        self.slots[slot] = key
        count.set()

    def wait_until_fetched(self, num_fetches: int) -> None:
        with self._lock:
            event = self._reached.setdefault(num_fetches, Event())
        assert event.wait(PATIENCE_S)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def use(ring: PrefetchRing, shelf: Shelf, key: int) -> None:
    slot = ring.take(key)
    assert shelf.slots[slot] == key
    ring.give_back(slot)


@pytest.mark.parametrize("distance", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("keys", [(4,), (1, 3), (0, 1, 2, 3, 4), (2, 5, 8, 11)])
def test_things_come_in_turn_and_again_after_the_last(
    shelf: Shelf, keys: tuple[int, ...], distance: int
) -> None:
    ring = PrefetchRing(keys, shelf.fetch, distance=distance)
    for key in keys * 5:
        use(ring, shelf, key)
    ring.close()
    turns = keys * (len(shelf.fetched) // len(keys) + 1)
    assert tuple(shelf.fetched) == turns[: len(shelf.fetched)]


def test_fetching_begins_before_anybody_asks_and_stops_when_no_slot_is_free(shelf: Shelf) -> None:
    ring = PrefetchRing((0, 1, 2, 3, 4), shelf.fetch, distance=2)
    shelf.wait_until_fetched(3)
    slot = ring.take(0)
    assert shelf.fetched == [0, 1, 2]
    ring.give_back(slot)
    shelf.wait_until_fetched(4)
    ring.close()
    assert shelf.fetched == [0, 1, 2, 3]


def test_the_first_layer_of_the_next_pass_is_fetched_during_the_last_of_this_one(shelf: Shelf) -> None:
    ring = PrefetchRing((0, 1, 2), shelf.fetch, distance=1)
    use(ring, shelf, 0)
    use(ring, shelf, 1)
    slot = ring.take(2)
    shelf.wait_until_fetched(4)
    assert shelf.fetched == [0, 1, 2, 0]
    ring.give_back(slot)
    ring.close()


def test_nothing_is_fetched_unasked_at_distance_zero(shelf: Shelf) -> None:
    ring = PrefetchRing((0, 1, 2), shelf.fetch, distance=0)
    use(ring, shelf, 0)
    use(ring, shelf, 1)
    ring.close()
    assert shelf.fetched == [0, 1]


def test_a_slot_in_use_is_never_filled(shelf: Shelf) -> None:
    ring = PrefetchRing((0, 1, 2, 3), shelf.fetch, distance=1)
    held = ring.take(0)
    use(ring, shelf, 1)
    use(ring, shelf, 2)
    assert shelf.slots[held] == 0
    ring.give_back(held)
    use(ring, shelf, 3)
    ring.close()


@pytest.mark.parametrize("distance", [0, 1, 2])
def test_a_pass_that_broke_off_is_followed_by_one_from_the_beginning(shelf: Shelf, distance: int) -> None:
    ring = PrefetchRing((0, 1, 2, 3, 4), shelf.fetch, distance=distance)
    for _ in range(3):
        for key in (0, 1, 2):
            use(ring, shelf, key)
    for key in (4, 2, 2, 3, 0, 4):
        use(ring, shelf, key)
    ring.close()


@pytest.mark.parametrize("distance", [0, 1, 2])
def test_what_is_forgotten_on_its_way_frees_its_slot_when_it_comes(shelf: Shelf, distance: int) -> None:
    shelf.gate.clear()
    ring = PrefetchRing((0, 1, 2, 3), shelf.fetch, distance=distance)
    taken: list[int] = []
    taker = Thread(target=lambda: taken.append(ring.take(2)), daemon=True)
    taker.start()
    shelf.gate.set()
    taker.join(PATIENCE_S)
    assert shelf.slots[taken[0]] == 2
    ring.give_back(taken[0])
    for key in (3, 0, 1, 2, 3):
        use(ring, shelf, key)
    ring.close()


@pytest.mark.parametrize("distance", [0, 1, 2])
def test_an_error_of_the_thread_reaches_who_uses_the_layer_and_the_next_try_works(
    shelf: Shelf, distance: int
) -> None:
    shelf.failures[2] = OSError("the disk is gone")
    ring = PrefetchRing((0, 1, 2, 3), shelf.fetch, distance=distance)
    use(ring, shelf, 0)
    use(ring, shelf, 1)
    with pytest.raises(
        ParkingError, match="layer 2 could not be fetched: OSError: the disk is gone"
    ) as caught:
        ring.take(2)
    assert isinstance(caught.value.__cause__, OSError)
    for key in (2, 3, 0, 1, 2, 3):
        use(ring, shelf, key)
    ring.close()


def test_errors_without_end_use_up_no_slots(shelf: Shelf) -> None:
    ring = PrefetchRing((0, 1, 2), shelf.fetch, distance=1)
    for _ in range(10):
        shelf.failures.update({key: ValueError(key) for key in range(3)})
        for key in range(3):
            try:
                slot = ring.take(key)
            except ParkingError:
                continue
            ring.give_back(slot)
    shelf.failures.clear()
    for key in (0, 1, 2) * 2:
        try:
            use(ring, shelf, key)
        except ParkingError:
            use(ring, shelf, key)
    ring.close()


@pytest.mark.parametrize("distance", [0, 1])
def test_more_layers_in_use_than_buffers_are_an_error_not_a_wait_without_end(
    shelf: Shelf, distance: int
) -> None:
    ring = PrefetchRing((0, 1, 2, 3), shelf.fetch, distance=distance)
    slots = [ring.take(key) for key in range(distance + 1)]
    with pytest.raises(ParkingError, match="prefetch_distance"):
        ring.take(distance + 1)
    for slot in slots:
        ring.give_back(slot)
    use(ring, shelf, 0)
    ring.close()


def test_closing_wakes_who_waits(shelf: Shelf) -> None:
    shelf.gate.clear()
    ring = PrefetchRing((0, 1), shelf.fetch, distance=0)
    failures: list[Exception] = []

    def wait() -> None:
        try:
            ring.take(0)
        except ParkingError as error:
            failures.append(error)

    taker = Thread(target=wait, daemon=True)
    taker.start()
    closer = Thread(target=ring.close, daemon=True)
    closer.start()
    shelf.gate.set()
    taker.join(PATIENCE_S)
    closer.join(PATIENCE_S)
    assert not taker.is_alive()
    assert not closer.is_alive()
    with pytest.raises(ParkingError, match="closed"):
        ring.take(0)


@settings(max_examples=60)
@given(
    st.integers(1, 6),
    st.integers(0, 4),
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=40),
)
def test_any_order_of_use_and_any_failures_give_the_right_thing_or_an_error(
    num_keys: int, distance: int, uses: list[tuple[int, bool]]
) -> None:
    shelf = Shelf()
    ring = PrefetchRing(range(num_keys), shelf.fetch, distance=distance)
    num_errors = 0
    for key, fails in uses:
        if fails:
            shelf.failures[key % num_keys] = OSError("now and then")
        while not is_used(ring, shelf, key % num_keys):
            num_errors += 1
            assert num_errors <= sum(fails for _, fails in uses)
    ring.close()


def is_used(ring: PrefetchRing, shelf: Shelf, key: int) -> bool:
    try:
        use(ring, shelf, key)
    except ParkingError:
        return False
    return True

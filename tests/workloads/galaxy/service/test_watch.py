"""What a measured request says of devices and links."""

import pytest

from workloads.galaxy.profile import DeviceProfile
from workloads.galaxy.service.busy import Busy
from workloads.galaxy.service.watch import Finding, Measured, Speed, Watch, is_worth, slowed

HALF = Speed(work=0.5, around=0.5)


def work(**durations: float) -> Busy:
    return Busy(**{"work_ns": 0.0, "around_ns": 0.0, **durations})


def measured(works: dict[int, float], latency: float) -> Measured:
    return Measured(
        foreseen={0: work(work_ns=100.0), 1: work(work_ns=200.0)},
        taken={device: work(work_ns=each) for device, each in works.items()},
        foreseen_latency_ns=300.0,
        latency_ns=latency,
    )


def test_a_request_that_went_as_foreseen_changes_nothing() -> None:
    assert Watch().finding(measured({0: 105.0, 1: 190.0}, 320.0)).is_as_foreseen


def test_a_device_that_took_twice_as_long_is_half_as_fast() -> None:
    found = Watch().finding(measured({0: 200.0, 1: 200.0}, 400.0))
    assert found == Finding(speeds={0: HALF}, tile_ns={}, has_new_links=False)


def test_a_late_answer_of_devices_that_computed_as_foreseen_is_the_links() -> None:
    found = Watch().finding(measured({0: 100.0, 1: 200.0}, 600.0))
    assert found == Finding(speeds={}, tile_ns={}, has_new_links=True)


def test_a_device_that_said_nothing_is_not_taken_for_fast() -> None:
    assert Watch().finding(measured({1: 200.0}, 300.0)).is_as_foreseen


def test_a_slowed_device_takes_so_much_longer_for_everything() -> None:
    device = DeviceProfile(
        name="d",
        product_rows=(1, 64),
        product_rates=(1e9, 4e9),
        attention_rate=2e9,
        memory_rate=1e9,
        call_ns=100.0,
        memory_bytes=1,
        tile_ns=30.0,
    )
    half = slowed(device, HALF)
    for rows in (1, 8, 64, 500):
        assert half.product_ns(rows, 64, 64, 4) == pytest.approx(2 * device.product_ns(rows, 64, 64, 4))
    assert half.attention_ns(10, 64) == pytest.approx(2 * device.attention_ns(10, 64))
    assert half.elementwise_ns(1000) == pytest.approx(2 * device.elementwise_ns(1000))
    assert half.tile_ns == pytest.approx(2 * device.tile_ns)


def test_a_plan_must_be_clearly_better_to_be_worth_loading_weights() -> None:
    assert is_worth(100.0, 90.0)
    assert not is_worth(100.0, 97.0)
    assert not is_worth(100.0, 120.0)


def test_one_request_shows_a_change_on_steady_devices() -> None:
    watch = Watch()
    for taken in (101.0, 99.0, 103.0, 98.0, 100.0):
        assert watch.finding(measured({0: taken, 1: 200.0}, 300.0)).is_as_foreseen
    slower = 100.0 / 140.0
    found = watch.finding(measured({0: 140.0, 1: 200.0}, 340.0))
    assert found.speeds == {0: Speed(work=slower, around=slower)}


def test_a_restless_device_is_not_believed_to_change_with_every_request() -> None:
    watch, scatter = Watch(), (1.25, 0.8, 1.3, 0.75, 1.2, 0.85) * 10
    found = [watch.finding(measured({0: 100.0 * each, 1: 200.0}, 300.0)) for each in scatter]
    assert all(each.is_as_foreseen for each in found[-20:])
    found_at_last = watch.finding(measured({0: 400.0, 1: 200.0}, 600.0))
    assert found_at_last.speeds == {0: Speed(work=0.25, around=0.25)}


def test_what_is_around_work_is_learned_apart_from_it() -> None:
    """A share can be made smaller, but what tiles cost besides stays: it must not be taken for slow work."""
    measured = Measured(
        foreseen={0: Busy(work_ns=100.0, around_ns=20.0)},
        taken={0: Busy(work_ns=100.0, around_ns=80.0)},
        foreseen_latency_ns=300.0,
        latency_ns=360.0,
    )
    assert Watch().finding(measured).speeds == {0: Speed(work=1.0, around=0.25)}


def test_what_no_forecast_tells_of_is_held_against_no_device_and_known_for_plans_with_tiles() -> None:
    measured = Measured(
        foreseen={0: Busy(work_ns=100.0, around_ns=0.0)},
        taken={0: Busy(work_ns=105.0, around_ns=80.0, num_pieces=20)},
        foreseen_latency_ns=300.0,
        latency_ns=320.0,
    )
    found = Watch().finding(measured)
    assert found.is_as_foreseen
    assert found.tile_ns == {0: pytest.approx(80.0 / 20 * 5 / 3)}


@pytest.mark.parametrize("slower", [2.0, 0.5])
def test_a_lasting_change_that_one_request_of_a_restless_device_hides_is_told_by_several(
    slower: float,
) -> None:
    watch, scatter = Watch(), (1.25, 0.8, 1.3, 0.75, 1.2, 0.85)
    for each in scatter * 10:
        watch.finding(measured({0: 100.0 * each, 1: 200.0}, 300.0))
    told = [
        found.speeds[0].work
        for each in scatter * 2
        if 0 in (found := watch.finding(measured({0: 100.0 * slower * each, 1: 200.0}, 300.0))).speeds
    ]
    assert told[0] == pytest.approx(1 / slower, rel=0.15)

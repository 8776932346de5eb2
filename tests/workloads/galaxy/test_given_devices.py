import pytest

from augment.problem import Shape
from workloads.galaxy.given_devices import FREE_BYTES, GivenDevices, given_devices
from workloads.galaxy.profile import Pace


def given(**sizes: int | float | str) -> GivenDevices:
    faults: list[str] = []
    found = given_devices(Shape.of(sizes), faults)
    assert not faults
    return found


def test_devices_begin_again_where_there_are_more_than_speeds() -> None:
    cluster = given(link_mbit=125, delay_us=200, speeds="20:10", memory_mb="1500:700").cluster(5)
    assert cluster is not None
    assert cluster.pace is Pace.PACED
    assert [device.rate(100) / 1e9 for device in cluster.devices] == [20, 10, 20, 10, 20]
    assert [device.memory_bytes / 1e6 for device in cluster.devices] == [1500, 700, 1500, 700, 1500]
    link = cluster.links[0][3]
    assert link.rate == pytest.approx(125e6 / 8)
    assert link.time_ns(125_000) == pytest.approx(200e3 + 8e6)


def test_a_paced_device_takes_as_long_for_few_rows_as_for_its_weights_at_least() -> None:
    device = given(speeds=10).device(0)
    assert device.memory_bytes == FREE_BYTES
    assert device.product_ns(100, 300, 200, 4) == pytest.approx(2 * 100 * 300 * 200 / 10)
    assert device.product_ns(1, 300, 200, 4) == pytest.approx(300 * 200 * 4 / 10)


def test_what_is_not_given_has_to_be_measured_first() -> None:
    assert given(speeds=20).cluster(2) is None
    assert given(link_mbit=100).cluster(2) is None
    assert given().cluster(1) is None
    alone = given(speeds=20).cluster(1)
    assert alone is not None
    assert len(alone.devices) == 1

"""What a device does when it is told to measure itself again."""

from collections.abc import Iterator

import pytest

from tests.workloads.galaxy.service.devices_by_hand import MODEL, SEED
from workloads.galaxy.documents import as_document, device_profile_of
from workloads.galaxy.plan import DevicePart, ParallelPlan, Strategy, whole_share
from workloads.galaxy.service.device_work import DeviceWork
from workloads.galaxy.service.neighbourhood import Doorway
from workloads.steady_clock import steady_ns
from workloads.transformer.split import Span
from workloads.transport.frames import Frame

ROOMY, TIGHT = 1 << 30, 1 << 20
TOLD = {"architecture": as_document(MODEL), "checkpoint": "", "seed": SEED, "dtype": "float32"}


@pytest.fixture(name="doorway")
def closed_doorway() -> Iterator[Doorway]:
    doorway = Doorway()
    yield doorway
    doorway.close()


@pytest.mark.parametrize(("memory_bytes", "is_kept"), [(ROOMY, True), (TIGHT, False)])
def test_weights_are_kept_while_a_device_measures_itself_where_there_is_room_for_both(
    *, doorway: Doorway, memory_bytes: int, is_kept: bool
) -> None:
    work = DeviceWork(name="d", memory_bytes=memory_bytes, num_threads=1, doorway=doorway, clock=steady_ns)
    work.profiled(TOLD)
    part = DevicePart(device=3, share=whole_share(MODEL), layers=Span(0, MODEL.num_layers), row_weight=1.0)
    plan = as_document(ParallelPlan(strategy=Strategy.LOCAL, parts=(part,), num_tiles=1))
    order = {"kind": "plan", "epoch": 1, "key": "k", "plan": plan, "where": {"3": {}}, "as": 3}
    assert work.done(Frame(header=order)).header["kind"] == "ready"
    said = work.done(Frame(header={"kind": "profile"})).header
    assert said["kind"] == "profiled"
    assert device_profile_of(said["profile"]).memory_bytes == memory_bytes
    assert work._executor is not None
    assert bool(work._executor.holding.groups) == is_kept
    work.close()

"""How batches reach the steps: loaders in turns, batches made once, batches on a GPU."""

import threading
import time
from typing import Any

import pytest
import torch

from saih.harness.device_feed import DeviceFeed, mapped
from saih.harness.feed import NUM_SYNTHETIC, Feeding, feeding_of, open_feed
from saih.harness.loaders import Loaders
from saih.harness.prefetch import Prefetch


class Fed:
    """A session of which several threads may ask for batches."""

    num_producers = 4


def test_loaders_give_batches_in_order_whichever_is_made_first() -> None:
    def produce(step: int) -> int:
        time.sleep(0.02 if step % 3 == 0 else 0.001)
        return step

    with Loaders(produce, 3) as loaders:
        assert [loaders.take()[0] for _ in range(20)] == list(range(20))
    assert not [thread for thread in threading.enumerate() if thread.name == "loader"]


def test_loaders_work_at_the_same_time_and_share_the_time_between_them() -> None:
    def produce(step: int) -> int:
        time.sleep(0.05)
        return step

    with Loaders(produce, 4) as loaders:
        for _ in range(4):
            loaders.take()
        begin_s = time.perf_counter()
        makings = [loaders.take()[1] for _ in range(8)]
        took_s = time.perf_counter() - begin_s
    assert took_s < 8 * 0.05 * 0.75
    assert all(0.05e9 / 4 <= produce_ns < 0.05e9 for produce_ns, *_ in makings)


def test_an_error_of_one_loader_comes_in_its_turn() -> None:
    def produce(step: int) -> int:
        if step == 3:
            raise OSError("the file is gone")
        return step

    with Loaders(produce, 2) as loaders:
        assert [loaders.take()[0] for _ in range(3)] == [0, 1, 2]
        with pytest.raises(OSError, match="the file is gone"):
            loaders.take()


def test_what_all_loaders_read_is_summed(tmp_path: Any) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(100_000))
    with Loaders(lambda step: path.read_bytes(), 2) as loaders:
        for _ in range(4):
            loaders.take()
        assert loaders.reading is None
    assert loaders.reading is not None
    assert loaders.reading.asked_bytes >= 400_000


def test_synthetic_batches_are_made_once_and_come_in_turns() -> None:
    made: list[int] = []

    def produce(step: int) -> int:
        made.append(step)
        return step

    with open_feed(produce, Feeding(is_made_once=True)) as feed:
        taken = [feed.take()[0] for _ in range(9)]
    assert taken == [step % NUM_SYNTHETIC for step in range(9)]
    assert made == list(range(NUM_SYNTHETIC))


def test_on_a_cpu_one_thread_makes_batches_and_nothing_is_moved() -> None:
    assert feeding_of(Fed(), "cpu", ranks_per_node=1, is_made_once=False) == Feeding()
    with open_feed(lambda step: step, Feeding()) as feed:
        assert isinstance(feed, Prefetch)


def test_on_a_gpu_only_sessions_that_allow_it_have_their_batches_moved() -> None:
    assert feeding_of(object(), "cuda:0", ranks_per_node=1, is_made_once=False) == Feeding()
    moved = feeding_of(Fed(), "cuda:0", ranks_per_node=1, is_made_once=False)
    assert moved.device == "cuda:0"
    assert 1 <= moved.num_loaders <= Fed.num_producers
    crowded = feeding_of(Fed(), "cuda:0", ranks_per_node=1000, is_made_once=False)
    assert crowded.num_loaders == 1
    assert feeding_of(Fed(), "cuda:0", ranks_per_node=1, is_made_once=True).num_loaders == 1


def test_every_tensor_of_a_batch_is_changed_and_nothing_else() -> None:
    batch = (torch.zeros(2), [torch.ones(1), "name"], {"counts": torch.ones(3), "step": 4})
    grids, (ones, name), rest = mapped(batch, lambda tensor: tensor + 1)
    assert (float(grids.sum()), float(ones), name, float(rest["counts"].sum()), rest["step"]) == (
        2.0, 2.0, "name", 6.0, 4,
    )  # fmt: skip


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_batches_are_on_the_gpu_when_a_step_gets_them_and_hold_what_was_made() -> None:
    def produce(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.full((1 << 20,), float(step)).pin_memory(), torch.tensor([step]).pin_memory()

    with Prefetch(produce) as source:
        feed = DeviceFeed(source, "cuda:0")
        for step in range(20):
            (grids, number), _ = feed.take()
            torch.cuda._sleep(1_000_000)
            assert grids.device.type == "cuda"
            assert float(grids.sum()) == step * (1 << 20)
            assert int(number) == step

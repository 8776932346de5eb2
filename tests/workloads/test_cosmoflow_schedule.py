import pytest

from cosmology.architecture import REFERENCE, Architecture
from workloads.cosmoflow.members import member
from workloads.cosmoflow.schedule import depth_guard, learning_rate


def narrow(width: int) -> Architecture:
    return Architecture(resolution=16, channels=4, stage_channels=(width, 2 * width))


@pytest.mark.parametrize(("batch", "rate"), [(32, 0.004), (512, 0.024)])
def test_the_reference_member_gets_the_tuned_public_rates(batch: int, rate: float) -> None:
    assert learning_rate(REFERENCE, batch) == pytest.approx(rate)


def test_the_rate_grows_with_the_square_root_of_the_batch_up_to_a_limit() -> None:
    rates = [learning_rate(narrow(8), batch) for batch in (8, 32, 128, 4096)]
    assert rates == pytest.approx([0.01, 0.02, 0.04, 0.04])


def test_only_very_wide_members_learn_slower() -> None:
    rates = [learning_rate(narrow(width), 32) for width in (4, 128, 256)]
    assert rates == pytest.approx([0.02, 0.02, 0.01])


def test_only_depths_that_nobody_tried_slow_learning_down() -> None:
    guards = [depth_guard(member(32, 4, depth=depth, width=8)) for depth in (1, 12, 24, 48)]
    assert guards == pytest.approx([1.0, 1.0, 2**-1.5, 2**-3])

import pytest

from cosmology.architecture import REFERENCE, Architecture
from workloads.cosmoflow.schedule import learning_rate


def member(width: int) -> Architecture:
    return Architecture(resolution=16, channels=4, stage_channels=(width, 2 * width))


@pytest.mark.parametrize(("batch", "rate"), [(32, 0.004), (512, 0.024)])
def test_the_reference_member_gets_the_tuned_public_rates(batch: int, rate: float) -> None:
    assert learning_rate(REFERENCE, batch) == pytest.approx(rate)


def test_the_rate_grows_with_the_square_root_of_the_batch_up_to_a_limit() -> None:
    rates = [learning_rate(member(8), batch) for batch in (8, 32, 128, 4096)]
    assert rates == pytest.approx([0.01, 0.02, 0.04, 0.04])


def test_only_very_wide_members_learn_slower() -> None:
    rates = [learning_rate(member(width), 32) for width in (4, 128, 256)]
    assert rates == pytest.approx([0.02, 0.02, 0.01])

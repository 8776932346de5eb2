import pytest
import torch

from cosmology.architecture import REFERENCE, Architecture, Normalisation
from cosmology.network import Network, build
from workloads.cosmoflow.members import Options, member
from workloads.cosmoflow.schedule import (
    adam_factor,
    adam_rate,
    depth_guard,
    learning_rate,
    warm_up_steps,
)


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


def test_adam_lowers_its_rate_only_where_the_fan_in_grows_with_the_width() -> None:
    wide = member(32, 4, depth=2, width=128, options=Options(normalisation=Normalisation.GROUP))
    names = [name for name, _ in Network(wide).named_parameters()]
    lowered = {name for name in names if adam_factor(wide, name) != 1.0}
    assert {adam_factor(wide, name) for name in lowered} == {0.25}
    grow = {f"stages.{stage}.convolutions.{number}.weight" for stage in range(3) for number in range(2)} - {
        "stages.0.convolutions.0.weight"
    }
    assert lowered == {*grow, "hidden.0.weight"}
    reference = member(32, 4, depth=2, width=32)
    assert {adam_factor(reference, name) for name in names} == {1.0}


def test_updates_of_adam_change_what_a_network_says_as_much_at_any_width() -> None:
    torch.set_num_threads(1)
    x = torch.randn((2, 1, 8, 8, 8), generator=torch.Generator().manual_seed(1))
    changes = []
    for width in (16, 256):
        architecture = member(8, 1, depth=3, width=width)
        network = build(architecture, seed=1, recipe=architecture.recipe)
        with torch.no_grad():
            network.last.weight.normal_(std=0.05, generator=torch.Generator().manual_seed(2))
            before = network(x)
        groups = [
            {"params": [parameter], "lr": 1e-3 * adam_factor(architecture, name)}
            for name, parameter in network.named_parameters()
        ]
        optimizer = torch.optim.Adam(groups)
        network(x).sum().backward()
        optimizer.step()
        with torch.no_grad():
            changes.append(float((network(x) - before).abs().mean()))
    assert 0.25 < changes[1] / changes[0] < 4


def test_the_rate_of_adam_grows_with_the_square_root_of_the_batch() -> None:
    rates = [adam_rate(narrow(8), batch) for batch in (8, 32, 128, 4096)]
    assert rates == pytest.approx([0.0005, 0.001, 0.002, 0.002])


def test_only_depths_that_nobody_tried_slow_learning_down() -> None:
    guards = [depth_guard(member(32, 4, depth=depth, width=8)) for depth in (1, 12, 24, 48)]
    assert guards == pytest.approx([1.0, 1.0, 2**-1.5, 2**-3])


@pytest.mark.parametrize(
    ("batch", "samples", "steps", "warm_up"), [(32, 320, 10_000, 40), (32, 320, 100, 10), (64, 8, 5, 1)]
)
def test_rates_rise_over_four_epochs_but_no_more_than_a_tenth_of_all_steps(
    batch: int, samples: int, steps: int, warm_up: int
) -> None:
    assert warm_up_steps(batch, samples, steps) == warm_up

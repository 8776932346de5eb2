import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cosmology.architecture import REFERENCE, Architecture, Checkpointing, Normalisation, Recipe
from cosmology.network import Network, build, normalise

PLAIN = Architecture(resolution=16, channels=3, stage_channels=(4, 8))
DEEP = Architecture(resolution=16, channels=4, stage_channels=(8, 16), residuals_per_stage=5)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def grids(architecture: Architecture, batch: int) -> Tensor:
    shape = (batch, architecture.channels, *(3 * (architecture.resolution,)))
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


def written_out(network: Network, x: Tensor, branch_scale: float, groups: int = 0) -> Tensor:
    """The same network after the reference's description: no in-place work, no shared code."""
    parameters = dict(network.named_parameters())
    for stage in range(2):
        for number in range(len(network.stages[stage].convolutions)):
            name = f"stages.{stage}.convolutions.{number}"
            y = functional.conv3d(x, parameters[f"{name}.weight"], parameters[f"{name}.bias"], padding=1)
            if groups:
                name = f"stages.{stage}.norms.{number}"
                y = group_normed(
                    y, y.shape[1] // groups, parameters[f"{name}.weight"], parameters[f"{name}.bias"]
                )
            y = torch.where(y > 0, y, 0.3 * y)
            x = x + branch_scale * y if number else y
        x = x.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).unflatten(6, (-1, 2)).amax(dim=(3, 5, 7))
    voxels = [x[:, :, i, j, k] for i in range(4) for j in range(4) for k in range(4)]
    x = torch.cat(voxels, dim=1)
    for name in ("hidden.0", "hidden.1", "last"):
        x = x @ parameters[f"{name}.weight"].T + parameters[f"{name}.bias"]
        x = 1.2 * torch.tanh(x) if name == "last" else torch.where(x > 0, x, 0.3 * x)
    return x


def group_normed(y: Tensor, num_groups: int, weight: Tensor, bias: Tensor) -> Tensor:
    grouped = y.unflatten(1, (num_groups, -1))
    mean = grouped.mean(dim=(2, 3, 4, 5), keepdim=True)
    variance = grouped.var(dim=(2, 3, 4, 5), keepdim=True, correction=0)
    normed = ((grouped - mean) / torch.sqrt(variance + 1e-5)).flatten(1, 2)
    return normed * weight.view(-1, 1, 1, 1) + bias.view(-1, 1, 1, 1)


@pytest.mark.parametrize("residuals", [0, 1, 3])
def test_outputs_and_gradients_are_those_of_the_network_written_out(residuals: int) -> None:
    architecture = Architecture(
        resolution=16, channels=3, stage_channels=(4, 8), residuals_per_stage=residuals
    )
    network = build(architecture, seed=3, recipe=Recipe.REFERENCE).double()
    x = grids(architecture, 2).double()
    ours = network(x)
    theirs = written_out(network, x, architecture.branch_scale)
    torch.testing.assert_close(ours, theirs)
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(ours.square().sum(), parameters)
    expected = torch.autograd.grad(theirs.square().sum(), parameters)
    for gradient, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, other)


def test_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first = build(PLAIN, seed=7, recipe=Recipe.REFERENCE).state_dict()
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(2)
    again = build(PLAIN, seed=7, recipe=Recipe.REFERENCE).state_dict()
    other = build(PLAIN, seed=8, recipe=Recipe.REFERENCE).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["last.weight"], other["last.weight"])


def test_weights_start_xavier_uniform_and_biases_zero() -> None:
    network = build(PLAIN, seed=1, recipe=Recipe.REFERENCE)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any()
            continue
        fan_out, fan_in, *kernel = parameter.shape
        bound = math.sqrt(6 / ((fan_in + fan_out) * math.prod(kernel)))
        assert parameter.abs().max() <= bound
        assert parameter.detach().std() == pytest.approx(bound / math.sqrt(3), rel=0.15)


def test_the_scaled_recipe_starts_at_zero_and_differs_in_nothing_else() -> None:
    scaled = build(PLAIN, seed=1, recipe=Recipe.SCALED)
    reference = build(PLAIN, seed=1, recipe=Recipe.REFERENCE)
    assert not scaled(grids(PLAIN, 2)).any()
    theirs = reference.state_dict()
    different = [name for name, value in scaled.state_dict().items() if not torch.equal(value, theirs[name])]
    assert different == ["last.weight"]


def test_52_convolutions_neither_lose_their_input_nor_their_gradient() -> None:
    architecture = Architecture(resolution=16, channels=4, stage_channels=(8, 16), residuals_per_stage=25)
    network = build(architecture, seed=1, recipe=Recipe.REFERENCE)
    features = grids(architecture, 4)
    for stage in network.stages:
        features = stage(features)
    assert 0.05 < features.std() < 5
    network(grids(architecture, 4)).square().mean().backward()
    gradients = [(p.grad, p.detach()) for p in network.parameters() if p.dim() > 1]
    relative = torch.tensor([g.norm() / p.norm() for g, p in gradients if g is not None])
    assert len(relative) == len(gradients)
    assert relative.min() > 1e-2 * relative.median()


def test_outputs_stay_within_the_scaled_tanh() -> None:
    network = build(PLAIN, seed=1, recipe=Recipe.REFERENCE)
    assert network(1e6 * grids(PLAIN, 4)).abs().max() <= 1.2


@pytest.mark.slow
def test_a_deep_member_learns_eight_grids_by_heart() -> None:
    network = build(DEEP, seed=1, recipe=Recipe.SCALED)
    x, targets = grids(DEEP, 8), torch.rand(8, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9)
    for _ in range(60):
        optimizer.zero_grad()
        functional.mse_loss(network(x), targets).backward()
        optimizer.step()
    assert (network(x) - targets).abs().mean() < 0.05


def counts() -> Tensor:
    rates = torch.tensor([0.5, 2.0, 8.0]).view(1, 3, 1, 1, 1).expand(4, 3, 16, 16, 16)
    return torch.poisson(rates, generator=torch.Generator().manual_seed(2)).to(torch.uint16)


def test_the_reference_recipe_reads_plain_logarithms() -> None:
    grid = counts()
    read = normalise(grid, torch.full((3,), 7.0), torch.full((3,), 9.0), Recipe.REFERENCE)
    torch.testing.assert_close(read, torch.log(1 + grid.to(torch.float32)))


def test_the_scaled_recipe_standardises_every_channel() -> None:
    grid = counts()
    logarithms = torch.log1p(grid.to(torch.float32))
    mean, std = logarithms.mean(dim=(0, 2, 3, 4)), logarithms.std(dim=(0, 2, 3, 4))
    read = normalise(grid, mean, std, Recipe.SCALED)
    torch.testing.assert_close(read.mean(dim=(0, 2, 3, 4)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(read.std(dim=(0, 2, 3, 4)), torch.ones(3), atol=1e-5, rtol=0)


def test_half_precision_agrees_with_full_to_its_digits() -> None:
    network = build(PLAIN, seed=1, recipe=Recipe.REFERENCE)
    x = grids(PLAIN, 2)
    with torch.autocast("cpu", torch.bfloat16):
        half = network(x)
    assert half.dtype is torch.bfloat16
    torch.testing.assert_close(half.float(), network(x), atol=0.05, rtol=0.05)


def test_group_norm_normalises_groups_of_eight_channels_before_each_activation() -> None:
    architecture = Architecture(
        resolution=16,
        channels=3,
        stage_channels=(8, 16),
        residuals_per_stage=1,
        normalisation=Normalisation.GROUP,
    )
    network = build(architecture, seed=3, recipe=Recipe.REFERENCE).double()
    assert all(bool((network.stages[stage].norms[0].weight == 1).all()) for stage in range(2))
    x = grids(architecture, 2).double()
    torch.testing.assert_close(network(x), written_out(network, x, architecture.branch_scale, groups=8))


@pytest.mark.parametrize(("channels", "groups"), [(8, 1), (16, 2), (12, 3), (3, 3), (1, 1)])
def test_groups_have_eight_channels_or_as_many_as_divide_them(channels: int, groups: int) -> None:
    architecture = Architecture(
        resolution=8, channels=1, stage_channels=(channels,), normalisation=Normalisation.GROUP
    )
    assert architecture.convolutions[0].num_groups == groups
    assert build(architecture, seed=1, recipe=Recipe.SCALED).stages[0].norms[0].num_groups == groups


@pytest.mark.parametrize("normalisation", list(Normalisation))
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("checkpointing", [Checkpointing.STAGES, Checkpointing.BRANCHES])
def test_what_is_computed_again_gives_the_same_to_the_last_bit(
    checkpointing: Checkpointing, normalisation: Normalisation, precision: torch.dtype
) -> None:
    plain = replace(DEEP, normalisation=normalisation)
    kept = build(plain, seed=3, recipe=Recipe.REFERENCE)
    again = build(replace(plain, checkpointing=checkpointing), seed=3, recipe=Recipe.REFERENCE)
    x, outputs, gradients = grids(DEEP, 2), [], []
    for network in (kept, again):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision is torch.bfloat16):
            outputs.append(network(x))
        outputs[-1].float().square().sum().backward()
        gradients.append([parameter.grad for parameter in network.parameters()])
    assert torch.equal(*outputs)
    assert all(
        one is not None and other is not None and torch.equal(one, other)
        for one, other in zip(*gradients, strict=True)
    )
    with torch.no_grad():
        assert torch.equal(again.float()(x), kept.float()(x))


class MlperfReference(nn.Module):
    """The reference of MLPerf HPC, layer by layer, with nothing of ours: channels first, no dropout."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(4, 32, 3, padding=1)
        self.conv2 = nn.Conv3d(32, 64, 3, padding=1)
        self.conv3 = nn.Conv3d(64, 128, 3, padding=1)
        self.conv4 = nn.Conv3d(128, 256, 3, padding=1)
        self.conv5 = nn.Conv3d(256, 512, 3, padding=1)
        self.dense1 = nn.Linear(32768, 128)
        self.dense2 = nn.Linear(128, 64)
        self.dense3 = nn.Linear(64, 4)
        generator = torch.Generator().manual_seed(seed)
        for layer in self.children():
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5):
            x = functional.max_pool3d(functional.leaky_relu(layer(x), 0.3), 2)
        x = x.permute(0, 2, 3, 4, 1).reshape(-1, 32768)
        x = functional.leaky_relu(self.dense1(x), 0.3)
        x = functional.leaky_relu(self.dense2(x), 0.3)
        return torch.tanh(self.dense3(x)) * 1.2


@pytest.mark.slow
def test_the_reference_member_is_that_of_mlperf_bit_for_bit() -> None:
    ours, theirs = build(REFERENCE, seed=11, recipe=REFERENCE.recipe), MlperfReference(seed=11)
    pairs = list(zip(ours.parameters(), theirs.parameters(), strict=True))
    assert all(torch.equal(mine, other) for mine, other in pairs)
    assert sum(other.numel() for _, other in pairs) == 8_907_556
    x = grids(REFERENCE, 1)
    outputs = ours(x), theirs(x)
    assert torch.equal(*outputs)
    for output in outputs:
        output.square().sum().backward()
    assert all(
        mine.grad is not None and other.grad is not None and torch.equal(mine.grad, other.grad)
        for mine, other in pairs
    )

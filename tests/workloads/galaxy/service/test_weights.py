"""Devices that have other weights than those that are there, or another model, are turned away by name."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.workloads.galaxy.service.devices_by_hand import MODEL, PATIENCE_S, SEED, Devices, devices_of
from tests.workloads.galaxy.service.test_service import AllOfThem, until_there_are
from tests.workloads.transformer.architectures import ALL
from workloads.galaxy.service.service import Served, Service
from workloads.galaxy.service.weights_digest import weights_digest
from workloads.transformer.architecture import Family, TransformerArchitecture
from workloads.transformer.checkpoint import open_checkpoint
from workloads.transformer.layer_store import WeightSource
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.split import Span
from workloads.transformer.weight_names import weight_shapes


class Trained:
    """Weights of which one has been trained further."""

    def __init__(self, before: WeightSource, name: str) -> None:
        self._before, self._name = before, name

    def read(self, name: str, spans: Sequence[Span | None]) -> Tensor:
        part = self._before.read(name, spans)
        return part * 1.001 if name == self._name else part


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ALL, ids=lambda each: str(each.family))
def test_every_weight_is_in_the_digest(architecture: TransformerArchitecture) -> None:
    weights = RandomWeights(architecture, SEED)
    digest = weights_digest(architecture, weights)
    assert weights_digest(architecture, RandomWeights(architecture, SEED)) == digest
    others = {weights_digest(architecture, Trained(weights, name)) for name in weight_shapes(architecture)}
    assert len(others) == len(weight_shapes(architecture))
    assert digest not in others


def test_the_type_of_weights_is_in_the_digest() -> None:
    double = RandomWeights(MODEL, SEED, torch.float64)
    assert weights_digest(MODEL, double) != weights_digest(MODEL, RandomWeights(MODEL, SEED))


def replaced(folder: Path, by: Path) -> None:
    """The checkpoint that devices find from now on."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(by, folder)


def refused(devices: Devices, name: str) -> str:
    """What is said of a device that is turned away."""
    process = devices.start(name)
    assert process.wait(PATIENCE_S) == 2
    assert process.stderr is not None
    return process.stderr.read()


@pytest.mark.slow
def test_stale_checkpoints_and_those_of_another_model_are_turned_away(tmp_path: Path) -> None:
    from tests.workloads.transformer.reference_models import reference_model, written  # noqa: PLC0415  # slow

    served_from, first, stale, other = (tmp_path / name for name in ("served", "first", "stale", "other"))
    model = reference_model(Family.GPT2)
    written(model, first)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.001)
    written(model, stale)
    written(reference_model(Family.GPT2, num_hidden_layers=1), other)
    architecture, _ = open_checkpoint(first)
    replaced(served_from, first)
    served = Served(
        architecture=architecture, planning=AllOfThem(), checkpoint=str(served_from), token="secret"
    )
    with Service(served) as service, devices_of(service.port, "secret") as devices:
        devices.start("a")
        until_there_are(service, {"a"})
        replaced(served_from, stale)
        assert "its weights are not those of device a" in refused(devices, "b")
        replaced(served_from, other)
        layers = f"num_layers 1 instead of {architecture.num_layers}"
        assert f"its checkpoint is of another model: {layers};" in refused(devices, "c")
        replaced(served_from, first)
        devices.start("d")
        until_there_are(service, {"a", "d"})

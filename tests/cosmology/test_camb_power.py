"""Linear power by CAMB behind the same interface as Eisenstein-Hu's."""

import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from cosmology.camb_power import _keep, _kept, camb_table
from cosmology.dataset_error import DatasetError
from cosmology.hdf5 import provenance
from cosmology.linear_power import linear_power
from cosmology.parameters import Parameters
from cosmology.power_kind import PowerKind
from cosmology.universe import make_universe
from cosmology.universe_definition import UniverseDefinition
from tests.cosmology.dataset_by_hand import flip_bit


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for all tests of this file: CAMB takes seconds."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def tables(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    camb_table.cache_clear()
    return cache / "saih" / "linear-power"


@pytest.mark.slow
def test_power_is_that_of_camb_with_the_asked_sigma8() -> None:
    known = json.loads((Path(__file__).parent / "camb_power.json").read_text())
    found = linear_power(Parameters(), PowerKind.CAMB)(np.array(known["k"]))
    assert found == pytest.approx(np.array(known["linear"]["0.0"]), rel=2e-3)


@pytest.mark.slow
def test_a_table_is_kept_for_any_sigma8_and_a_damaged_one_is_computed_again(tables: Path) -> None:
    k = np.geomspace(1e-6, 1e3, 50)  # far beyond the table on both sides
    first = linear_power(Parameters(), PowerKind.CAMB)(k)
    assert np.isfinite(first).all()
    (table,) = tables.iterdir()
    whole = table.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1  # of a value, which stays a number
    for damaged in (whole, whole[:100], bytes(flipped)):
        table.write_bytes(damaged)
        camb_table.cache_clear()
        assert np.array_equal(linear_power(Parameters(), PowerKind.CAMB)(k), first)
        assert table.read_bytes() == whole
    assert linear_power(Parameters(sigma8=0.72), PowerKind.CAMB)(k) == pytest.approx(first * 0.81)
    assert len(list(tables.iterdir())) == 1


def test_a_kept_table_is_believed_to_the_last_bit_or_not_at_all(tmp_path: Path) -> None:
    path, table = tmp_path / "table.npy", np.random.default_rng(1).normal(size=(2, 1200))
    _keep(path, table)
    whole = path.read_bytes()
    found = _kept(path)
    assert found is not None
    assert np.array_equal(found, table)
    for offset in (0, 100, 200, len(whole) // 2, len(whole) - 40, len(whole) - 1):
        flip_bit(path, offset, bit=0)
        assert _kept(path) is None
        path.write_bytes(whole)
    np.save(path, table)  # as it was kept before tables had checksums
    assert _kept(path) is None


def test_files_say_which_camb_their_power_came_from_and_others_name_none() -> None:
    versions = {
        kind: json.loads(provenance(UniverseDefinition(seed=1, side=16, linear_power=kind).canonical, "cpu"))[
            "versions"
        ]
        for kind in PowerKind
    }
    assert versions[PowerKind.CAMB].pop("camb") == importlib.metadata.version("camb")
    assert versions[PowerKind.CAMB] == versions[PowerKind.EISENSTEIN_HU]


@pytest.mark.slow
def test_a_universe_can_be_made_with_it(tables: Path) -> None:
    sizes = {"seed": 1, "side": 16, "num_steps": 4, "force_mesh_factor": 1}
    before = set(tables.iterdir()) if tables.exists() else set()
    by_camb, by_fit = (
        make_universe(UniverseDefinition(**sizes, linear_power=kind), 0).counts
        for kind in (PowerKind.CAMB, PowerKind.EISENSTEIN_HU)
    )
    assert by_camb.shape == by_fit.shape
    assert not np.array_equal(by_camb, by_fit)
    assert len(set(tables.iterdir()) - before) == 1


def test_an_absent_camb_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "camb", None)
    with pytest.raises(DatasetError, match="extra camb"):
        linear_power(Parameters(), PowerKind.CAMB)

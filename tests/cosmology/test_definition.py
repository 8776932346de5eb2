"""What decides a data set: identity, splits, boxes, and growth by whole-number rules."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmology.definition import (
    REDSHIFT_ORDER,
    DatasetDefinition,
    DatasetError,
    PowerKind,
    Reuse,
    Split,
    UniverseDefinition,
)
from cosmology.definition_reading import definition_from
from cosmology.parameters import draw_targets, universe_seed


def definition_of(**changes: object) -> DatasetDefinition:
    sizes: dict[str, object] = {
        "seed": 1,
        "num_samples": 10,
        "num_universes": 4,
        "resolution": 16,
        "simulation_side": 32,
        **changes,
    }
    return DatasetDefinition(**sizes)  # type: ignore[arg-type]  # wrong types are what some tests pass


DEFINITIONS = st.builds(
    definition_of,
    seed=st.integers(0, 2**63 - 1),
    num_samples=st.integers(8, 60),
    num_universes=st.just(8),
    simulation_side=st.just(64),
    resolution=st.sampled_from([8, 16]),
    coarsening=st.sampled_from([1, 2]),
    redshifts=st.lists(
        st.integers(0, 89).map(lambda tenths: tenths / 10), min_size=1, unique=True, max_size=16
    ).map(tuple),
    base_box_mpc_per_h=st.just(0.0) | st.floats(285, 60000),
    linear_power=st.sampled_from(PowerKind),
    split=st.sampled_from(Split),
    reuse=st.sampled_from([Reuse.NONE, Reuse.CUBE_SYMMETRIES]),
)


@given(st.sampled_from(Split), st.integers(1, 200), st.integers(1, 30))
def test_every_sample_has_one_place_in_a_universe_of_its_split(
    split: Split, num_samples: int, num_universes: int
) -> None:
    definition = definition_of(
        num_samples=max(num_samples, num_universes),
        num_universes=num_universes,
        reuse=Reuse.CUBE_SYMMETRIES,
        resolution=8,
        simulation_side=32,
        split=split,
    )
    places = [definition.place_of(sample) for sample in range(definition.num_samples)]
    expected = [
        (universe, row)
        for universe in definition.universe_numbers
        for row in range(definition.samples_of(universe))
    ]
    assert sorted(places) == expected
    leading = [universe for universe, _ in places[:num_universes]]
    assert leading == list(definition.universe_numbers)


def test_splits_share_neither_universes_nor_their_waves_nor_their_parameters() -> None:
    train, validation = (definition_of(split=split, num_samples=2000, num_universes=2000) for split in Split)
    assert not set(train.universe_numbers) & set(validation.universe_numbers)
    for of_universe in (universe_seed, draw_targets):
        both = [
            {of_universe(1, universe) for universe in split.universe_numbers} for split in (train, validation)
        ]
        assert [len(values) for values in both] == [2000, 2000]
        assert not both[0] & both[1]
    assert train.universes == validation.universes
    assert train.dataset_id != validation.dataset_id


@settings(max_examples=40)
@given(DEFINITIONS)
def test_a_definition_is_read_back_from_the_plain_values_of_its_files(definition: DatasetDefinition) -> None:
    text = json.dumps(definition.canonical, allow_nan=False)
    assert definition_from(json.loads(text)) == definition


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 1}, "of version 1, this is version 3"),
        ({"schema_version": None}, "of version None"),
        ({"resolution": None}, "lacks resolution"),
        ({"resolution": 17}, "power of two"),
        ({"redshifts": "0"}, "give a tuple"),
        ({"num_steps": 19}, "does not agree with itself"),
        ({"voxels": 3}, "does not agree with itself"),
        ({"split": "test"}, "use Split.TRAIN or Split.VALIDATION"),
    ],
)
def test_plain_values_of_no_definition_are_refused(change: dict[str, object], message: str) -> None:
    values = {**definition_of().canonical, **change}
    present = {name: value for name, value in values.items() if value is not None or name == "schema_version"}
    with pytest.raises(DatasetError, match=message):
        definition_from(present)


def test_the_identity_depends_on_each_choice() -> None:
    changes: list[dict[str, object]] = [
        {},
        {"redshifts": (0.0, 1.0)},
        {"redshifts": (1.0, 0.0)},
        {"coarsening": 2, "resolution": 8},
        {"base_box_mpc_per_h": 512.0},
        {"num_steps": 19},
        {"linear_power": PowerKind.CAMB},
        {"split": Split.VALIDATION},
    ]
    assert len({definition_of(**change).dataset_id for change in changes}) == len(changes)
    of_universes = [definition_of(**change).universes.universes_id for change in changes]
    assert len(set(of_universes)) == len(changes) - 2  # coarsening and the split share the runs


@pytest.mark.parametrize(
    ("side", "resolution", "box"), [(0, 8, 288), (0, 32, 288), (0, 64, 288), (0, 256, 288), (0, 512, 512)]
)
def test_boxes_are_never_small_and_voxels_never_below_their_share(
    side: int, resolution: int, box: float
) -> None:
    definition = definition_of(simulation_side=side, resolution=resolution, num_samples=4)
    assert definition.base_box_mpc_per_h == box
    assert definition.voxel_mpc_per_h == box / max(64, resolution)
    assert 0.9 * definition.base_box_mpc_per_h >= 256


def test_refined_samples_are_of_the_same_universes_in_finer_voxels() -> None:
    coarse = definition_of(resolution=32, simulation_side=32, num_samples=4)
    fine = coarse.refined(2)
    assert (fine.resolution, fine.simulation_side) == (64, 64)
    assert fine.base_box_mpc_per_h == coarse.base_box_mpc_per_h
    assert fine.voxel_mpc_per_h == coarse.voxel_mpc_per_h / 2
    assert fine.refined(8).base_box_mpc_per_h == coarse.base_box_mpc_per_h  # not that of 512^3 by itself
    assert fine.universe_numbers == coarse.universe_numbers


def test_coarsened_samples_keep_their_extent_and_their_universes() -> None:
    fine = definition_of(resolution=16)
    coarse = fine.coarsened(2)
    assert coarse.resolution * coarse.voxel_mpc_per_h == fine.resolution * fine.voxel_mpc_per_h
    assert coarse.universes == fine.universes
    assert coarse.crops_per_universe == fine.crops_per_universe
    with pytest.raises(DatasetError, match="at least 8"):
        coarse.coarsened(2)
    with pytest.raises(DatasetError, match="no multiple of 3"):
        fine.coarsened(3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": 64}, "the box is too small for its crops: 64 voxels per axis need a simulation_side"),
        (
            {"resolution": 32, "coarsening": 2},
            "of 2.3 particles' places each need a simulation_side of at least 64",
        ),
        ({"coarsening": 3}, "coarsening is 3; give a power of two from 1 to 512, such as 2 or 4"),
        ({"coarsening": 0}, "coarsening is 0"),
        ({"simulation_side": 8192, "resolution": 8}, "from 8 to 4096"),
        ({"base_box_mpc_per_h": 256.0}, "give 284.4 to 65536 .288 by default.: H0 shrinks the box"),
        ({"base_box_mpc_per_h": -1.0}, "give 284.4 to"),
        ({"base_box_mpc_per_h": float("nan")}, "is nan; give 284.4"),
        ({"base_box_mpc_per_h": "288"}, "is 288; give 284.4"),
        ({"redshifts": (9.0,)}, "redshift 9.0 is no output of a run from redshift 9 to today"),
        ({"redshifts": (-0.1,)}, "redshift -0.1 is no output"),
        ({"redshifts": (float("nan"),)}, "redshift nan is no output"),
        ({"redshifts": (True,)}, "redshift True is no output"),
        ({"redshifts": (1.0, 1.0)}, "repeat themselves"),
        ({"redshifts": [0.0]}, "give a tuple of 1 to 16"),
        ({"redshifts": REDSHIFT_ORDER, "num_steps": 15}, "16 redshifts of one run need at least 16"),
        ({"linear_power": "guess"}, "use PowerKind.EISENSTEIN_HU or PowerKind.CAMB"),
        ({"split": "test"}, "use Split.TRAIN or Split.VALIDATION"),
        ({"num_universes": 2**40 + 1, "num_samples": 2**41}, "use at most 1099511627776 universes"),
    ],
)
def test_an_impossible_choice_is_refused_with_what_would_do(change: dict[str, object], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        definition_of(**change)


@pytest.mark.parametrize(
    "change", [{"side": 24}, {"num_steps": 3}, {"force_mesh_factor": 0}, {"redshifts": ()}, {"seed": -1}]
)
def test_universes_check_themselves(change: dict[str, object]) -> None:
    sizes: dict[str, object] = {"seed": 0, "side": 16, **change}
    with pytest.raises(DatasetError):
        UniverseDefinition(**sizes)  # type: ignore[arg-type]  # wrong values are the test

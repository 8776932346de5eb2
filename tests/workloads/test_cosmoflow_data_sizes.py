"""Data as people write it in a sweep: bytes, redshifts, voxels and boxes become one definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.problem import Problem, ProblemError, Shape, Value
from cosmology.definition import REDSHIFT_ORDER, DatasetDefinition, PowerKind, Reuse
from workloads.cosmoflow.cost import CosmoFlow
from workloads.cosmoflow.shapes import CosmoFlowShape

MODEL = Shape.of(depth=1, width=8)


def definition_of(**sizes: Value) -> DatasetDefinition:
    return CosmoFlowShape.from_problem(Problem(data=Shape.of(sizes), model=MODEL)).dataset(seed=0)


def fault_of(**sizes: Value) -> str:
    with pytest.raises(ProblemError) as caught:
        definition_of(**sizes)
    return str(caught.value)


@pytest.mark.parametrize(
    ("size", "num_bytes"), [("1.6 TB", 16 * 10**11), ("25 GB", 25 * 10**9), (10**10, 10**10)]
)
@pytest.mark.parametrize("resolution", [32, 128, 512])
def test_a_size_in_bytes_is_met_to_within_less_than_one_sample(
    size: Value, num_bytes: int, resolution: int
) -> None:
    problem = Problem(data=Shape.of(bytes=size, resolution=resolution, channels=4), model=MODEL)
    shape = CosmoFlowShape.from_problem(problem).data
    assert 0 <= shape.dataset_bytes - num_bytes < shape.sample_bytes
    cost = CosmoFlow().cost(problem, batch_per_rank=1, precision="float32")
    assert cost.dataset_bytes == shape.dataset_bytes


def test_the_fewest_universes_are_those_of_separate_cuts_and_a_stated_number_is_kept() -> None:
    few = definition_of(bytes="1 GB", resolution=16, channels=4, universes="fewest")
    assert few.num_universes == -(-few.num_samples // 64)
    assert definition_of(bytes="1 GB", resolution=16, channels=4, universes=600).num_universes == 600
    by_rule = definition_of(bytes="1 GB", resolution=16, channels=4)
    assert by_rule.num_universes == -(-by_rule.num_samples // 8)


def test_redshifts_are_listed_or_the_first_of_a_nested_order() -> None:
    assert definition_of(samples=8, resolution=32, redshifts="0, 0.5,2").redshifts == (0.0, 0.5, 2.0)
    assert definition_of(samples=8, resolution=32, redshifts="1 0").redshifts == (1.0, 0.0)
    assert definition_of(samples=8, resolution=32, redshifts=0.5).redshifts == (0.5,)
    assert definition_of(samples=8, resolution=32, redshifts="0 1", channels=2).redshifts == (0.0, 1.0)
    for channels in (1, 4, 7, 16):
        assert (
            definition_of(samples=8, resolution=32, channels=channels).redshifts == REDSHIFT_ORDER[:channels]
        )


def test_voxels_of_1_mpc_per_h_make_the_reference_data_set() -> None:
    """64 cubes of 128^3 from each universe of 512^3 in 512 Mpc/h."""
    definition = definition_of(samples=589_824, resolution=128, channels=4, voxel=1, universes="fewest")
    assert (definition.base_box_mpc_per_h, definition.simulation_side) == (512, 512)
    assert (definition.crops_per_universe, definition.num_universes) == (64, 9216)


@given(
    st.sampled_from([0.5, 1, 1.125, 2, 4.5, 9]),
    st.sampled_from([8, 32, 64, 128]),
    st.sampled_from([1, 2, 4]),
)
def test_stated_voxels_are_kept_whatever_the_resolution(
    voxel: float, resolution: int, coarsening: int
) -> None:
    definition = definition_of(
        samples=8, resolution=resolution, channels=1, voxel=voxel, coarsening=coarsening
    )
    assert definition.voxel_mpc_per_h == voxel
    assert definition.base_box_mpc_per_h * 0.9 >= 256


def test_a_stated_box_refines_the_same_universes_as_the_resolution_grows() -> None:
    grown = [definition_of(samples=8, resolution=side, channels=4, box=512) for side in (64, 128, 256)]
    assert {definition.base_box_mpc_per_h for definition in grown} == {512}
    assert [definition.simulation_side for definition in grown] == [64, 128, 256]
    assert {definition.reuse for definition in grown} == {Reuse.SYMMETRIES_AND_ROLLS}


def test_box_and_voxel_give_the_side_and_the_options_reach_the_solver() -> None:
    definition = definition_of(
        samples=8,
        resolution=32,
        channels=4,
        box=512,
        voxel=4,
        coarsening=2,
        steps=12,
        force_mesh=1,
        linear_power="camb",
    )
    assert (definition.simulation_side, definition.coarsening) == (256, 2)
    assert (definition.num_steps, definition.force_mesh_factor) == (12, 1)
    assert definition.linear_power is PowerKind.CAMB
    assert definition.reuse is Reuse.CUBE_SYMMETRIES


def test_labels_tell_what_is_not_as_by_default() -> None:
    sizes: dict[str, Value] = {"samples": 8, "resolution": 32, "channels": 4}
    labels = [
        CosmoFlow().describe(Problem(data=Shape.of({**sizes, **more}), model=MODEL), "data")
        for more in ({}, {"voxel": 2}, {"box": 512, "universes": 8})
    ]
    assert labels == [
        "32^3 x 4, 8 samples",
        "32^3 x 4, 8 samples, voxels of 2 Mpc/h",
        "32^3 x 4, 8 samples of 8 universes, voxels of 8 Mpc/h",
    ]
    listed = Shape.of(samples=8, resolution=32, redshifts="0 1.25")
    label = CosmoFlow().describe(Problem(data=listed, model=MODEL), "data")
    assert label == "32^3 x 2, 8 samples, redshifts 0, 1.25"


@pytest.mark.parametrize(
    ("sizes", "fault"),
    [
        ({"samples": None}, "samples is missing; give a whole number from 1, or bytes, such as '1.6 TB'."),
        ({"bytes": "1 GB"}, "both samples (8) and bytes ('1 GB') are given; leave one."),
        ({"samples": None, "bytes": "much"}, "'much' is no size; write it as '1.6 TB'"),
        ({"samples": None, "bytes": 0.5}, "bytes is 0.5; give a whole number"),
        ({"samples": None, "bytes": "900 EB"}, "samples, above 1000000000000; give fewer."),
        ({"channels": None}, "channels is missing; give a whole number from 1 to 16, or redshifts."),
        ({"redshifts": "0 1"}, "channels is 4, but redshifts are 2; leave channels out."),
        ({"channels": None, "redshifts": "0; 1"}, "redshifts is '0; 1'; write them as '0, 0.5, 1.5, 3'"),
        ({"channels": None, "redshifts": "0 12"}, "redshift 12.0 is no output of a run from redshift 9"),
        ({"channels": None, "redshifts": "1 1"}, "repeat themselves"),
        ({"channels": None, "redshifts": True}, "redshifts is True"),
        ({"universes": "some"}, "universes is 'some'; give a whole number"),
        ({"box": 200}, "base_box_mpc_per_h is 200; give 284.4 to 65536"),
        ({"box": "wide"}, "box is 'wide'; give 0.01 to 65536 [Mpc/h]."),
        ({"voxel": 0.0}, "voxel is 0.0; give 0.01 to 65536 [Mpc/h]."),
        ({"box": 300, "voxel": 1}, "voxel 1 divides box 300 into 300, no power of two; use a voxel of 0.58"),
        ({"box": 512, "voxel": 32}, "the box is too small for its crops: 32 voxels per axis"),
        ({"voxel": 60000}, "base_box_mpc_per_h is 1.92e+06; give 284.4 to 65536"),
        ({"coarsening": 3}, "coarsening is 3; give a power of two"),
        ({"coarsening": 1024}, "coarsening is 1024; give a power of two from 1 to 512"),
        ({"coarsening": 256}, "simulation_side is 8192; give a power of two from 8 to 4096"),
        ({"steps": 3}, "num_steps is 3; 4 redshifts of one run need at least 4."),
        ({"force_mesh": 5}, "force_mesh is 5; give a whole number from 1 to 4."),
        ({"linear_power": "class"}, "linear_power is 'class'; use eisenstein_hu or camb."),
    ],
)
def test_data_that_cannot_be_is_refused_by_name(sizes: dict[str, Value | None], fault: str) -> None:
    asked: dict[str, Value | None] = {"samples": 8, "resolution": 32, "channels": 4, **sizes}
    assert fault in fault_of(**{name: value for name, value in asked.items() if value is not None})

"""Laws of cutting and growing samples: counts stay whole, labels exact, nothing comes twice too early."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmology.crops import coarse_grained, rolled, samples, turned, view_of
from cosmology.definition import REDSHIFTS, DatasetDefinition, DatasetError, Reuse, Split
from cosmology.splitmix import shuffled

SIDES = st.sampled_from([8, 16])
SEEDS = st.integers(0, 2**32 - 1)


def cube_of(seed: int, side: int, channels: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).poisson(1.0, (channels, side, side, side)).astype(np.uint16)


def definition_of(**changes: object) -> DatasetDefinition:
    sizes: dict[str, object] = {
        "seed": 5,
        "num_samples": 8,
        "num_universes": 1,
        "resolution": 8,
        "redshifts": REDSHIFTS[:2],
        "simulation_side": 16,
        **changes,
    }
    return DatasetDefinition(**sizes)  # type: ignore[arg-type]  # values of many types


def sums(cube: np.ndarray) -> list[int]:
    return cube.sum(axis=(1, 2, 3), dtype=np.int64).tolist()


@given(SEEDS, SIDES, st.integers(0, 47), st.tuples(*(st.integers(0, 15),) * 3), st.sampled_from([1, 2, 4]))
def test_every_operation_keeps_the_particles_of_every_channel(
    seed: int, side: int, symmetry: int, shift: tuple[int, int, int], factor: int
) -> None:
    cube = cube_of(seed, side)
    seen = turned(coarse_grained(rolled(cube, shift), factor), symmetry)
    assert sums(seen) == sums(cube)
    assert seen.shape == (2, *(side // factor,) * 3)


@given(SEEDS, st.integers(0, 47))
def test_coarse_graining_and_turning_may_change_places(seed: int, symmetry: int) -> None:
    cube = cube_of(seed, 8)
    assert np.array_equal(
        turned(coarse_grained(cube, 2), symmetry), coarse_grained(turned(cube, symmetry), 2)
    )


@given(SEEDS)
def test_coarse_graining_twice_is_once_by_the_product_and_each_voxel_is_a_sum_of_eight(seed: int) -> None:
    cube = cube_of(seed, 16)
    once = coarse_grained(cube, 2)
    assert np.array_equal(coarse_grained(once, 2), coarse_grained(cube, 4))
    assert once[1, 3, 0, 5] == cube[1, 6:8, 0:2, 10:12].sum()


def test_a_sum_beyond_16_bits_is_refused_and_one_below_is_kept() -> None:
    cube = np.full((1, 8, 8, 8), 8191, np.uint16)
    assert coarse_grained(cube, 2).max() == 8 * 8191
    with pytest.raises(DatasetError, match="above 65535; use a smaller coarsening"):
        coarse_grained(cube + np.uint16(1), 2)


@given(SEEDS, st.tuples(*(st.integers(0, 7),) * 3))
def test_a_roll_moves_the_box_around_its_edges_and_back(seed: int, shift: tuple[int, int, int]) -> None:
    cube = cube_of(seed, 8)
    seen = rolled(cube, shift)
    assert seen[0][shift] == cube[0, 0, 0, 0]
    assert np.array_equal(rolled(seen, (-shift[0], -shift[1], -shift[2])), cube)


def test_crops_of_a_universe_tile_it() -> None:
    counts = cube_of(1, 16, channels=4)
    put_together = np.zeros_like(counts[:2])
    starts = itertools.product((0, 8), repeat=3)
    for (x, y, z), crop in zip(starts, samples(definition_of(), 0, counts), strict=True):
        put_together[:, x : x + 8, y : y + 8, z : z + 8] = crop
    assert np.array_equal(put_together, counts[:2])


@settings(max_examples=15)
@given(SEEDS)
def test_coarse_samples_are_the_fine_samples_summed(seed: int) -> None:
    """Of crops and of whole boxes, also where they come again: the same views of the same universe."""
    counts = cube_of(seed, 32)
    for fine in (
        definition_of(resolution=16, simulation_side=32, num_samples=20, reuse=Reuse.CUBE_SYMMETRIES),
        definition_of(resolution=32, simulation_side=32, num_samples=4, reuse=Reuse.SYMMETRIES_AND_ROLLS),
    ):
        coarse = fine.coarsened(2)
        assert coarse.universes == fine.universes
        for one, other in zip(samples(coarse, 0, counts), samples(fine, 0, counts), strict=True):
            assert np.array_equal(one, coarse_grained(other, 2))


@pytest.mark.parametrize("coarsening", [1, 2])
def test_crops_come_again_only_after_all_came_and_never_twice_alike(coarsening: int) -> None:
    definition = definition_of(
        resolution=8 // coarsening * 2,
        simulation_side=32,
        coarsening=coarsening,
        num_samples=8 * 48 if coarsening == 2 else 8 * 8,
        reuse=Reuse.CUBE_SYMMETRIES,
    )
    counts = cube_of(2, 32)
    seen = [sample.tobytes() for sample in samples(definition, 0, counts)]
    assert len(set(seen)) == len(seen)
    crops = definition.crops_per_universe
    each = [tuple(np.sort(sample, axis=None)) for sample in samples(definition, 0, counts)]
    for turn in range(len(each) // crops):
        assert each[turn * crops : (turn + 1) * crops] == each[:crops]


def test_whole_boxes_come_again_turned_and_rolled_and_never_twice_alike() -> None:
    definition = definition_of(
        resolution=8, simulation_side=8, num_samples=400, reuse=Reuse.SYMMETRIES_AND_ROLLS
    )
    counts = cube_of(3, 8)
    seen = list(samples(definition, 0, counts))
    assert np.array_equal(seen[0], counts)
    assert len({sample.tobytes() for sample in seen}) == 400
    assert {tuple(np.sort(sample, axis=None)) for sample in seen} == {tuple(np.sort(counts, axis=None))}
    views = [view_of(definition, 0, 0, turn) for turn in range(400)]
    assert len({view.shift for view in views}) > 200
    assert {view.symmetry for view in views} == set(range(48))


def test_crops_are_never_rolled() -> None:
    with pytest.raises(DatasetError, match="whose edges are not periodic; use cube_symmetries"):
        definition_of(reuse=Reuse.SYMMETRIES_AND_ROLLS)
    definition = definition_of(num_samples=8 * 48, reuse=Reuse.CUBE_SYMMETRIES)
    assert {view_of(definition, 0, crop, turn).shift for crop in range(8) for turn in range(48)} == {
        (0, 0, 0)
    }


def test_universes_of_another_split_are_refused() -> None:
    validation = definition_of(split=Split.VALIDATION)
    with pytest.raises(DatasetError, match="validation universes are 1099511627776 to 1099511627776"):
        next(samples(validation, 0, cube_of(1, 16)))


@settings(max_examples=40)
@given(st.integers(1, 400), st.lists(st.integers(0, 2**64 - 1), max_size=4))
def test_a_shuffle_gives_each_place_once(size: int, name: list[int]) -> None:
    assert sorted(shuffled(place, size, *name) for place in range(size)) == list(range(size))


@given(st.integers(2, 2**62), st.integers(0, 2**62), SEEDS)
def test_a_shuffle_of_any_size_stays_in_it(size: int, place: int, seed: int) -> None:
    assert 0 <= shuffled(place % size, size, seed) < size


def test_shuffles_differ_by_name_and_leave_few_places() -> None:
    orders = [[shuffled(place, 500, name) for place in range(500)] for name in range(3)]
    for one, other in itertools.combinations([*orders, list(range(500))], 2):
        assert sum(a == b for a, b in zip(one, other, strict=True)) < 12

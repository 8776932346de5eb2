"""Definitions of imported data sets: where each sample is, and what names them."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmology.choices import Split
from cosmology.dataset_error import DatasetError
from cosmology.imported import ImportedDefinition, SourceFormat, imported_from

RUNS = st.dictionaries(st.integers(1, 12), st.integers(1, 5), min_size=1, max_size=4).map(
    lambda found: tuple((found[samples], samples) for samples in sorted(found, reverse=True))
)


def definition(runs: tuple[tuple[int, int], ...] = ((2, 3), (1, 1))) -> ImportedDefinition:
    return ImportedDefinition(
        source_format=SourceFormat.TFRECORD,
        source_sha256="ab",
        resolution=8,
        redshifts=(0.0, 0.5),
        runs=runs,
    )


@settings(max_examples=30)
@given(RUNS)
def test_every_sample_has_a_place_of_its_own(runs: tuple[tuple[int, int], ...]) -> None:
    imported = definition(runs)
    places = [imported.place_of(sample) for sample in range(imported.num_samples)]
    assert len(set(places)) == imported.num_samples
    counts = Counter(universe for universe, _ in places)
    assert counts == {universe: imported.samples_of(universe) for universe in imported.universe_numbers}
    assert all(row < imported.samples_of(universe) for universe, row in places)
    assert [row for _, row in places] == sorted(row for _, row in places)  # first of all universes one
    with pytest.raises(DatasetError, match="there is no sample"):
        imported.place_of(imported.num_samples)


@settings(max_examples=30)
@given(RUNS)
def test_a_definition_is_what_its_plain_values_say(runs: tuple[tuple[int, int], ...]) -> None:
    imported = definition(runs)
    assert imported_from(imported.canonical) == imported
    assert imported_from(imported.canonical).dataset_id == imported.dataset_id


def test_universes_of_two_splits_are_never_the_same() -> None:
    train, validation = definition(), replace(definition(), split=Split.VALIDATION)
    assert set(train.universe_numbers).isdisjoint(validation.universe_numbers)
    assert train.dataset_id != validation.dataset_id
    with pytest.raises(DatasetError, match="is not of this data set"):
        train.samples_of(validation.universe_numbers[0])


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 1},
        {"resolution": 12},
        {"runs": [[1, 1], [1, 2]]},
        {"runs": []},
        {"runs": 3},
        {"runs": [[1.5, 1]]},
        {"split": "test"},
        {"split": None},
        {"redshifts": None},
        {"redshifts": [0.0, float("nan")]},
        {"redshifts": [0.5, 0.5]},
        {"more": 1},
    ],
    ids=str,
)
def test_plain_values_that_are_none_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(DatasetError):
        imported_from({**definition().canonical, **change})

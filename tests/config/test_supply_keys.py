"""Where batches come from: how a sweep file asks for it."""

from dataclasses import replace

import pytest

from saih.config.definition import define, explained, restore
from saih.config.mistake import SweepFileError
from saih.config.preset import preset_sweep
from saih.config.sweep_file import parse_sweep
from saih.domain.supply import FROM_DATA_FOLDER, Supply

SMALLEST = """name: tiny
workload: cosmoflow
base:
  data: {samples: 8, resolution: 16, channels: 1}
  model: {depth: 1, width: 4}
"""


@pytest.mark.parametrize(
    ("run", "supply"),
    [
        ("{seed: 1}", FROM_DATA_FOLDER),
        ("{input: synthetic}", Supply(input="synthetic")),
        ("{staging: node}", Supply(staging="node")),
        ("{input: real, staging: none}", FROM_DATA_FOLDER),
    ],
)
def test_a_sweep_says_where_its_batches_come_from(run: str, supply: Supply) -> None:
    sweep = parse_sweep(f"{SMALLEST}run: {run}\n", "f.yaml")
    assert sweep.supply == supply
    assert restore(define(sweep), "again") == sweep
    assert parse_sweep(explained(sweep), "explained") == sweep


def test_an_override_asks_too() -> None:
    assert preset_sweep("laptop", ["run.input=synthetic"]).supply == Supply(input="synthetic")


def test_synthetic_batches_cannot_be_staged() -> None:
    with pytest.raises(SweepFileError) as caught:
        parse_sweep(f"{SMALLEST}run: {{input: synthetic, staging: node}}\n", "f.yaml")
    (mistake,) = caught.value.mistakes
    assert "run.staging" in str(mistake)
    assert "synthetic, which reads no data set" in str(mistake)


@pytest.mark.parametrize("run", ["{input: fake}", "{staging: rack}"])
def test_other_words_are_refused(run: str) -> None:
    with pytest.raises(SweepFileError, match="expected one of"):
        parse_sweep(f"{SMALLEST}run: {run}\n", "f.yaml")


def test_definitions_of_sweeps_that_read_their_data_folder_are_as_before() -> None:
    sweep = preset_sweep("laptop")
    assert "input" not in define(sweep)["run"]
    assert "staging" not in define(sweep)["run"]
    synthetic = define(replace(sweep, supply=Supply(input="synthetic")))
    assert synthetic["run"]["input"] == "synthetic"

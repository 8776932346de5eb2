"""``saih what-if``: changes as users write them, and what is predicted from real measured sweeps."""

import json
from pathlib import Path

import pytest

from saih.cli import run
from saih.commands.import_stage import import_file
from saih.commands.what_if_grammar import scenario_of
from saih.domain.errors import UsageError
from saih.domain.what_if import Alteration, Growth, Part

BUNDLES = Path(__file__).parents[2] / "results" / "reference"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("interconnect x2", "interconnect x2"),
        ("  Network   X 2 ", "interconnect x2"),
        ("2x interconnect", "interconnect x2"),
        ("compute x1.5", "compute x1.5"),
        ("storage removed", "input removed"),
        ("imbalance removed", "imbalance removed"),
        ("launch x0.5", "launch x0.5"),
        ("4x ranks", "ranks x4"),
        ("model x2", "model x2"),
        ("data 64^3->128^3", "data 64^3->128^3"),
        ("data 64^3 x 4 -> 128^3", "data 64^3 x 4->128^3"),
    ],
)
def test_a_change_means_one_thing(text: str, meant: str) -> None:
    assert str(scenario_of([text])) == meant


def test_several_changes_hold_at_the_same_time() -> None:
    found = scenario_of(["interconnect x2", "compute x1.5", "4x ranks"])
    assert [one.part for one in found.alterations] == [Part.INTERCONNECT, Part.COMPUTE]
    assert found.growth == Growth(axis="ranks", factor=4.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not understood"),
        ("magic x2", "no part of a run"),
        ("compute", "not understood"),
        ("compute x9", "factor of 9"),
        ("ranks x0.01", "factor of 0.01"),
        ("compute xnan", "not understood"),
        ("compute x1e3", "not understood"),
        ("compute x\u0663", "not understood"),
        ("compute removed", "no step"),
        ("imbalance x2", "has no speed"),
        ("x" * 100_000, "not understood"),
        ("price 1->2", "not understood"),
        ("__import__('os').system('true')", "not understood"),
    ],
)
def test_what_is_not_understood_is_refused_with_what_would_be(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        scenario_of([text])
    assert said in error.value.problem
    assert len(error.value.problem) < 300
    assert error.value.remedy


@pytest.mark.parametrize("texts", [[], ["compute x2", "arithmetic x3"], ["2x ranks", "data x2"]])
def test_a_scenario_says_each_thing_once(texts: list[str]) -> None:
    with pytest.raises(UsageError):
        scenario_of(texts)


@pytest.mark.parametrize(
    ("part", "speed"), [(Part.COMPUTE, float("inf")), (Part.INPUT, 8.1), (Part.IMBALANCE, 2)]
)
def test_an_alteration_that_cannot_be_is_no_value(part: Part, speed: float) -> None:
    with pytest.raises(ValueError, match="times as fast"):
        Alteration(part=part, speed=speed)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("results")
    for name in ("laptop", "ranks"):
        import_file(BUNDLES / f"{name}.saih.zip", root, None, is_dry=False)
    return str(root)


def test_forecasts_of_a_real_sweep_are_marked_as_predicted(
    results: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["what-if", "ranks", "interconnect x2", "--results", results]) == 0
    out = capsys.readouterr().out
    assert "Predicted by replaying" in out
    assert "before (measured) and after (predicted)" in out
    assert "one rank, so that interconnect does not exist here" in out


@pytest.mark.slow
def test_json_has_an_interval_or_a_reason_for_every_point(
    results: str, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = ("compute x2", "interconnect removed")
    assert run(["what-if", "laptop", *changes, "--results", results, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "saih.what-if"
    removed = {"part": "interconnect", "speed": None, "text": "interconnect removed"}
    assert found["scenario"]["alterations"][1] == removed
    assert len(found["forecasts"]) == 12
    for forecast in found["forecasts"]:
        predicted, measured = forecast["predicted_ns"], forecast["measured_ns"]
        assert 0 < predicted["low"] <= predicted["value"] <= predicted["high"]
        assert predicted["value"] < measured["value"]
        assert predicted["level"] == 0.9
        assert forecast["then"]


@pytest.mark.slow
def test_a_rung_that_was_measured_is_foreseen_as_it_was_measured(
    results: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["what-if", "laptop", "data 16^3->64^3", "--results", results, "--json"]) == 0
    forecasts = json.loads(capsys.readouterr().out)["forecasts"]
    assert len(forecasts) == 4
    assert all(forecast["ratio"]["value"] > 4 and not forecast["is_extrapolated"] for forecast in forecasts)


@pytest.mark.slow
def test_beyond_the_largest_size_it_says_so_or_refuses(
    results: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = run(["what-if", "laptop", "data 64^3->128^3", "--results", results, "--json"])
    forecasts = json.loads(capsys.readouterr().out)["forecasts"]
    assert len(forecasts) == 4
    assert all(forecast["is_extrapolated"] or forecast["refusal"] for forecast in forecasts)
    assert exit_code == (1 if all(forecast["refusal"] for forecast in forecasts) else 0)


@pytest.mark.slow
def test_an_axis_that_was_not_swept_is_refused_by_name(
    results: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["what-if", "laptop", "4x ranks", "--results", results]) == 1
    assert "ranks was not swept here" in capsys.readouterr().out


def test_a_rung_that_was_not_measured_is_refused_with_those_that_were(
    results: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["what-if", "laptop", "data 99^3->128^3", "--results", results]) == 2
    assert "begins with '99^3'; there are: 16^3" in capsys.readouterr().err

"""Executions in a sweep file: by name, by settings, as a list; and what is said of those that cannot be."""

from dataclasses import replace

import pytest

from saih.config.definition import define
from saih.config.mistake import SweepFileError
from saih.config.preset import preset_sweep
from saih.config.sweep_file import parse_sweep
from workloads.execution import GIVEN, PLAIN, REFERENCE, TUNED, TUNED_AT_PRECISION, Execution

SMALLEST = """name: tiny
workload: cosmoflow
base:
  data: {samples: 8, resolution: 16, channels: 1}
  model: {depth: 1, width: 4}
"""


def executions(text: str, *overrides: str) -> tuple[Execution, ...]:
    return parse_sweep(f"{SMALLEST}run: {{execution: {text}}}\n", "f.yaml", overrides).executions


def mistakes_of(text: str) -> list[str]:
    with pytest.raises(SweepFileError) as caught:
        executions(text)
    return [str(mistake) for mistake in caught.value.mistakes]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", (PLAIN,)),
        ("tuned", (TUNED,)),
        ("[tuned_at_precision]", (TUNED_AT_PRECISION,)),
        ("[reference, tuned]", (REFERENCE, TUNED)),
        ("{optimizer: fused}", (Execution(name=GIVEN, optimizer="fused"),)),
        ("{}", (PLAIN,)),
        ("{layout: channels_last}", (PLAIN,)),
        (
            "[reference, {layout: channels_first, precision: bfloat16}]",
            (REFERENCE, Execution(name=GIVEN, layout="channels_first", precision="bfloat16")),
        ),
    ],
)
def test_executions_are_named_given_or_listed(text: str, expected: tuple[Execution, ...]) -> None:
    assert executions(text) == expected


def test_without_the_key_steps_are_executed_plainly_and_nothing_is_written_of_it() -> None:
    sweep = parse_sweep(SMALLEST, "f.yaml")
    assert sweep.executions == (PLAIN,)
    assert "execution" not in define(sweep)["run"]


def test_an_override_takes_the_place_of_what_the_file_says() -> None:
    assert executions("reference", "run.execution=[plain, tuned]") == (PLAIN, TUNED)
    assert executions("{threads: 2}", "run.execution.optimizer=loop") == (
        Execution(name=GIVEN, threads=2, optimizer="loop"),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tunned", "run.execution: found tunned, expected one of plain, reference, tuned"),
        ("tunned", "did you mean tuned?"),
        ("[reference, fast]", "run.execution.1: found fast"),
        ("{layout: last}", "run.execution.layout: found last"),
        ("{compile: inductor}", "did you mean compiler?"),
        ("{bucket_mib: 0}", "a whole number of 1 to 4096"),
        ("[]", "an empty list"),
        ("", "found nothing"),
    ],
)
def test_what_is_no_execution_is_told_with_its_place(text: str, told: str) -> None:
    assert any(told in mistake for mistake in mistakes_of(text))


def test_workloads_that_run_their_steps_in_one_way_refuse_others() -> None:
    sweep = preset_sweep("energon")
    assert sweep.executions == (PLAIN,)
    with pytest.raises(SweepFileError) as caught:
        preset_sweep("energon", ["run.execution=[plain, tuned]"])
    (mistake,) = caught.value.mistakes
    assert "found tuned, expected plain, since energon runs its steps in one way" in str(mistake)
    assert mistake.key == "run.execution.1"


def test_more_points_than_anybody_could_run_are_refused_with_their_executions() -> None:
    samples, widths = list(range(1, 401)), list(range(4, 4 * 301, 4))
    ladders = f"axes: {{data: {{samples: {samples}}}, model: {{width: {widths}}}}}\n"
    with pytest.raises(SweepFileError, match=r"240000 points \(400 x 300 x 1 x 2\)"):
        parse_sweep(f"{SMALLEST}{ladders}run: {{execution: [reference, tuned]}}\n", "f.yaml")


def test_settings_are_told_in_few_words() -> None:
    given = Execution(name=GIVEN, precision="bfloat16", layout="channels_first", kernels="own", threads=2)
    assert given.label == "bfloat16, channels first, own kernels, threads 2"
    assert (PLAIN.words, PLAIN.label, TUNED.label) == ("", "plain", "tuned")
    assert replace(given, name="found").label == "found"


def test_settings_that_were_found_name_the_number_format() -> None:
    assert replace(PLAIN, precision="float32").found_words == "plain in float32"
    assert replace(PLAIN, precision="bfloat16", kernels="own").found_words == "bfloat16, own kernels"

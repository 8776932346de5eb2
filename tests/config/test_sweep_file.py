"""Sweep files: what is read, and that every mistake teaches."""

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.problem import Shape
from saih.config.mistake import SweepFileError
from saih.config.preset import PRESETS, preset_sweep
from saih.config.sweep_file import parse_sweep, read_sweep, with_axes
from saih.domain.errors import UsageError
from saih.domain.limits import Limits
from saih.domain.point import Placement, Timing
from saih.domain.sweep import Sweep
from saih.planner.plan import make_plan

SMALLEST = """\
name: tiny
workload: cosmoflow
base:
  data: {samples: 8, resolution: 16, channels: 1}
  model: {depth: 1, width: 4}
"""
AXES = "axes: {data: {resolution: [16, 32]}, model: {width: [4, 8, 16]}}\n"
OF_FEW_POINTS = {"iso": 3, "ladder": 7, "official": 1, "share-of-peak": 16}


def mistakes_of(text: str, *overrides: str) -> list[str]:
    with pytest.raises(SweepFileError) as caught:
        parse_sweep(text, "f.yaml", overrides)
    return [str(mistake) for mistake in caught.value.mistakes]


def only_mistake(text: str, *overrides: str) -> str:
    mistakes = mistakes_of(text, *overrides)
    assert len(mistakes) == 1, mistakes
    return mistakes[0]


def test_what_a_file_leaves_out_takes_the_defaults_of_the_domain() -> None:
    sweep = parse_sweep(SMALLEST, "f.yaml")
    assert sweep.timing == Timing()
    assert sweep.placements == (Placement(),)
    assert sweep.ladders == ()
    assert (sweep.batch_per_rank, sweep.precision, sweep.seed, sweep.scheduler) == (1, "float32", 1, "local")


def test_every_key_reaches_the_sweep() -> None:
    sweep = parse_sweep(
        SMALLEST
        + "axes: {data: {resolution: [16, 32], channels: [1, 2]}, model: {width: [4, 8], depth: [1, 2], "
        "combine: product}}\n"
        "run: {batch_per_rank: 3, precision: bfloat16, exchange: none, seed: 7}\n"
        "placement: [{ranks_per_node: 2}, {nodes: 2, ranks_per_node: 4, threads_per_rank: 3, device: cuda}]\n"
        "timing: {warmup_steps: 0, min_steps: 5, max_steps: 6, relative_width: 0.1, budget_s: 2.5}\n"
        "scheduler: local\n",
        "f.yaml",
    )
    data, model = sweep.ladders
    assert data.rungs == (Shape.of(channels=1, resolution=16), Shape.of(channels=2, resolution=32))
    assert len(model.rungs) == 4
    assert sweep.placements == (
        Placement(ranks_per_node=2, data_parallel=2),
        Placement(nodes=2, ranks_per_node=4, threads_per_rank=3, device="cuda", data_parallel=8),
    )
    assert sweep.timing == Timing(warmup_steps=0, min_steps=5, max_steps=6, relative_width=0.1, budget_s=2.5)
    assert (sweep.batch_per_rank, sweep.precision, sweep.exchange, sweep.seed) == (3, "bfloat16", "none", 7)


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALLEST.replace("\n", "\r\n").encode())
    assert read_sweep(path) == parse_sweep(SMALLEST, "x")


def test_every_mistake_of_a_file_is_told_at_once_in_its_order() -> None:
    text = SMALLEST.replace("samples: 8", "samples: 010").replace("width: 4", "width: -1") + (
        "run: {batch_per_rank: true, sed: 1}\ntiming: {relative_width: 2}\n"
    )
    places = [mistake.split(": ")[0] for mistake in mistakes_of(text)]
    assert places == ["f.yaml:4:19", "f.yaml:5:28", "f.yaml:6:23", "f.yaml:6:29", "f.yaml:7:26"]


def test_an_unknown_key_is_told_with_the_nearest_spelling_and_the_list() -> None:
    mistake = only_mistake(SMALLEST + "timings: {}\n")
    assert mistake.startswith("f.yaml:6:1: found the key 'timings', expected a known key")
    assert "did you mean timing?" in mistake
    assert "placement" in mistake


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("NO", "NO"),
        ("010", "leading zeros"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("true", "true"),
        ("1.5", "1.5"),
        ("1e3", "1e3"),
        ("12:30:00", "12:30:00"),
        ("'8'", "the quoted text '8'"),
        ("-3", "-3"),
        ("0", "0"),
        ("", "nothing"),
        ("~", "~"),
        ("[8]", "a list of 1"),
        ("{a: 1}", "a mapping of 1"),
        ("9" * 5000, "(5000 characters)"),
        (".inf", ".inf"),
    ],
)
def test_what_is_no_whole_number_is_refused_as_one(value: str, found: str) -> None:
    mistake = only_mistake(SMALLEST + f"run: {{batch_per_rank: {value}}}\n")
    assert mistake.startswith("f.yaml:6:")
    assert "run.batch_per_rank: found " in mistake
    assert "expected a whole number of 1 to 1000000" in mistake
    assert found in mistake


@pytest.mark.parametrize(
    "value", ["1e999", "-1e999", ".nan", "nan", ".inf", "0", "1", "true", "'0.1'", "1e-9999", "2", "0.1.2"]
)
def test_what_is_no_share_is_refused_as_one(value: str) -> None:
    mistake = only_mistake(SMALLEST + f"timing: {{relative_width: {value}}}\n")
    assert "timing.relative_width: found" in mistake
    assert "above 0 and below 1" in mistake


@pytest.mark.parametrize(
    "value", ["NO", "yes", "null", "~", "1.10", "010", "12:30", "", "[a]", "'a b'", "../x"]
)
def test_what_is_no_name_is_refused_as_one(value: str) -> None:
    assert "name: found" in only_mistake(SMALLEST.replace("name: tiny", f"name: {value}"))


@pytest.mark.parametrize("name", ["'NO'", '"010"', "a-b_c.d"])
def test_a_quoted_word_is_a_word(name: str) -> None:
    assert parse_sweep(SMALLEST.replace("tiny", name), "f.yaml").name == name.strip("'\"")


def test_a_name_that_is_a_folder_of_its_own_is_refused() -> None:
    assert "ceilings is a folder of its own" in only_mistake(SMALLEST.replace("tiny", "ceilings"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SMALLEST + "name: again\n", "the key 'name' again"),
        (SMALLEST + "run: &a {}\n", "the anchor &a"),
        (SMALLEST + "run: {seed: !!int 3}\n", "the tag"),
        (SMALLEST + "run: {seed: !python/object:os.system 3}\n", "the tag"),
        (SMALLEST + "---\nname: two\n", "a second document"),
        (SMALLEST + "? [a]\n: 1\n", "a list or mapping as a key"),
        ("", "found nothing"),
        ("# only a comment\n", "found nothing"),
        ("name: [", "expected YAML"),
        ("a: b: c", "expected YAML"),
        ("\t- x", "expected YAML"),
        ('a: "\\UFFFFFFFF"', "expected YAML"),
        ("%YAML " + "9" * 5000 + ".1\n---\na", "expected YAML"),
        ("a: \x07", "expected YAML"),
        ("[" * 100_000, "nesting deeper"),
        ("- a\n" * 50_000, "more than 20000 values"),
    ],
)
def test_what_yaml_offers_beyond_plain_data_is_refused(text: str, told: str) -> None:
    assert told in only_mistake(text)


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "3"])
def test_a_document_that_is_no_mapping_is_refused(text: str) -> None:
    assert any("expected keys with values" in mistake for mistake in mistakes_of(text))


def test_an_alias_is_refused_and_never_expanded() -> None:
    text = SMALLEST + "run: {seed: &a 1, batch_per_rank: *a}\n"
    assert ["the anchor &a" in mistakes_of(text)[0], "the alias *a" in mistakes_of(text)[1]] == [True, True]


@pytest.mark.parametrize("section", ["name", "workload", "base"])
def test_what_must_be_given_is_asked_for(section: str) -> None:
    lines = [line for line in SMALLEST.splitlines() if not line.startswith(section)]
    text = "\n".join(line for line in lines if section != "base" or not line.startswith("  "))
    assert f"{section}: found nothing" in only_mistake(text)


@pytest.mark.parametrize(
    ("axes", "told"),
    [
        ("{data: {resolution: []}}", "an empty list"),
        ("{data: {}}", "no sizes"),
        ("{data: {combine: product}}", "no sizes"),
        ("{data: {resolution: 16}}", "write it as [16, 32, 64]"),
        ("{data: {resolution: [16, 32], channels: [1]}}", "resolution has 2, channels has 1"),
        ("{data: {resolution: [16, 0]}}", "found 0"),
        ("{data: {resolution: [16, -4]}}", "found -4"),
        ("{data: {resolution: [16, NO]}}", "found NO"),
        ("{data: {resolution: [16, '32']}}", "the quoted text '32'"),
        ("{data: {resolution: [16, large]}}", "a whole number as in base (16)"),
        ("{data: {resolution: [16, 32.5]}}", "a whole number as in base (16)"),
        ("{data: {resolutoin: [16]}}", "did you mean resolution?"),
        ("{date: {resolution: [16]}}", "did you mean data?"),
        ("{data: {resolution: [[16]]}}", "a list of 1"),
        ("{data: {combine: both, resolution: [16]}}", "zip, product"),
        ("[data]", "a list of 1"),
    ],
)
def test_a_ladder_that_cannot_be_climbed_is_refused(axes: str, told: str) -> None:
    assert told in only_mistake(SMALLEST + f"axes: {axes}\n")


def test_a_huge_product_is_counted_and_never_expanded() -> None:
    numbers = ", ".join(str(number) for number in range(1, 1001))
    text = SMALLEST + (
        f"axes: {{data: {{combine: product, resolution: [{numbers}], samples: [{numbers}], "
        f"channels: [{numbers}]}}, model: {{width: [{numbers}]}}}}\n"
    )
    assert "1000000000000 points (1000000000 x 1000 x 1), expected at most 100000" in only_mistake(text)


def test_a_size_that_the_workload_does_not_have_is_refused_in_the_base_too() -> None:
    assert "did you mean samples?" in only_mistake(SMALLEST.replace("samples", "sample"))


def test_fewer_steps_at_most_than_at_least_are_refused() -> None:
    assert "at least min_steps, which is 300" in only_mistake(SMALLEST + "timing: {min_steps: 300}\n")


def test_an_empty_list_of_placements_is_refused() -> None:
    assert "placement: found an empty list" in only_mistake(SMALLEST + "placement: []\n")


def test_overrides_are_typed_like_the_file() -> None:
    sweep = parse_sweep(
        SMALLEST + AXES,
        "f.yaml",
        ["timing.budget_s=5", "axes.data.resolution=[16]", "name='x y'", "name=other"],
    )
    assert sweep.timing.budget_s == 5.0
    assert len(sweep.ladders[0].rungs) == 1
    assert sweep.name == "other"
    assert parse_sweep(SMALLEST, "f.yaml", ["axes.model.width=[4, 8]"]).ladders[0].axis == "model"


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("timing.budget_s=long", "--set timing.budget_s: timing.budget_s: found long"),
        ("timing.budget=5", "--set timing.budget: timing: found the key 'budget'"),
        ("seed", "expected key.sub=value"),
        ("=5", "expected key.sub=value"),
        ("run..seed=5", "expected key.sub=value"),
        ("run.seed=", "--set run.seed: found nothing"),
        ("run.seed=[", "--set run.seed: found"),
        ("name.sub=3", "a place that is no mapping"),
        ("run.seed=*x", "the alias *x"),
    ],
)
def test_a_mistaken_override_is_told_with_its_key(override: str, told: str) -> None:
    assert any(told in mistake for mistake in mistakes_of(SMALLEST + AXES, override))


def test_thousands_of_mistakes_are_told_in_few_lines() -> None:
    text = SMALLEST + "axes: {data: {resolution: [" + "x!, " * 5000 + "16]}}\n"
    with pytest.raises(SweepFileError) as caught:
        parse_sweep(text, "f.yaml")
    assert len(caught.value.problem.splitlines()) < 40
    assert len(caught.value.mistakes) == 5000


def test_text_of_the_file_is_inert_in_messages() -> None:
    mistake = only_mistake(SMALLEST + '"\\e[31m\\u202e": 1\n')
    assert mistake.isprintable()


@pytest.mark.parametrize("preset", [preset for preset in PRESETS if preset not in OF_FEW_POINTS])
def test_presets_are_sweeps_of_twelve_points_or_more(preset: str) -> None:
    sweep = preset_sweep(preset)
    assert sweep.name == preset
    assert len(sweep.ladders) == 2
    assert len(sweep.ladders[0].rungs) * len(sweep.ladders[1].rungs) >= 12


@pytest.mark.parametrize(("preset", "num_points"), OF_FEW_POINTS.items())
def test_other_presets_show_one_thing_each(preset: str, num_points: int) -> None:
    sweep = preset_sweep(preset)
    assert sweep.name == preset
    assert len(make_plan(sweep, Limits()).points) == num_points


def test_an_unknown_preset_is_told_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="laptop"):
        preset_sweep("labtop")


def test_axes_that_are_not_named_stay_at_the_base_under_a_name_of_their_own() -> None:
    sweep = preset_sweep("laptop")
    assert with_axes(sweep, ("model", "data")) == sweep
    only_data = with_axes(sweep, ("data", "data"))
    assert only_data.name == "laptop-data"
    assert [ladder.axis for ladder in only_data.ladders] == ["data"]
    assert only_data.base == sweep.base
    with pytest.raises(UsageError, match="did you mean model"):
        with_axes(sweep, ("modle",))


def is_sweep_or_refused(text: str, *overrides: str) -> bool:
    """True for the only two ends that reading may have; any other exception passes through."""
    try:
        return isinstance(parse_sweep(text, "f", overrides), Sweep)
    except UsageError:
        return True


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: data.decode("latin-1")))
def test_any_text_is_a_sweep_or_a_usage_error(text: str) -> None:
    assert is_sweep_or_refused(text)


LINES = st.sampled_from(
    [*SMALLEST.splitlines(), *AXES.splitlines(), "run: {seed: 3}", "placement: [{}, {nodes: 2}]"]
)
TOKENS = st.sampled_from(
    [
        *(
            "name",
            "base",
            "axes",
            "data",
            ": ",
            "- ",
            "[",
            "]",
            "{",
            "}",
            ", ",
            "\n",
            "  ",
            "&a ",
            "*a",
            "!t ",
        ),
        *(
            "'",
            '"',
            "1",
            "1e999",
            "NO",
            "combine",
            "product",
            "|",
            ">",
            "?",
            "#",
            "%",
            "---\n",
            "...\n",
            "<<",
        ),
        *("\\", "\t", "@", "`", "\\U", "\ud800", "\x85", "\u2028", "\ufeff"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES | TOKENS, max_size=25), st.lists(TOKENS, max_size=6))
def test_any_mixture_of_sweep_and_yaml_is_a_sweep_or_a_usage_error(
    parts: list[str], set_to: list[str]
) -> None:
    assert is_sweep_or_refused("".join(parts), "run.seed=" + "".join(set_to))


@settings(max_examples=60, deadline=None)
@given(
    position=st.integers(0, len(SMALLEST + AXES) - 1),
    character=st.characters(codec="utf-8"),
)
def test_one_changed_character_gives_a_sweep_or_a_usage_error(position: int, character: str) -> None:
    text = SMALLEST + AXES
    try:
        sweep = parse_sweep(text[:position] + character + text[position + 1 :], "f")
    except UsageError:
        return
    absent = {field.name for field in fields(Sweep) if getattr(sweep, field.name) is None}
    assert absent <= {"rank_ladder", "walk"}

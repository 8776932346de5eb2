"""The YAML of a testbed: what it means, and every number that cannot be is refused by name."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.edge_testbed_parts.errors import TestbedError
from tools.edge_testbed_parts.facts import facts_of
from tools.edge_testbed_parts.shaping import burst_bytes, upward
from tools.edge_testbed_parts.specification import (
    Specification,
    specification_json,
    specification_of,
)
from tools.edge_testbed_parts.specification_file import check_machine, parse_specification
from tools.edge_testbed_parts.yaml_text import parse_yaml

WHOLE = """\
# a kitchen
name: kitchen
mode: paced
devices:
  - {name: pi0, cores: [0], quota: 1.0, memory: 1.5 GiB, speed: 20 GFLOP/s}
  - name: pi1
    cores: 1
    quota: 25 %   # of one core
  - name: "pi2"
links:
  default: {rate: 125 Mbit/s, delay: 1 ms}
  pi2: {up: 50mbit, delay: 5ms}
pairs:
  - between: [pi0, pi1]
    rate: 10 Mbit/s
    delay: 0.2 ms
"""
TWO = "devices: [{name: a}, {name: b}]\n"


def refusal(text: str) -> str:
    with pytest.raises(TestbedError) as caught:
        parse_specification(text, "f.yaml")
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_every_key_means_what_it_says() -> None:
    asked = parse_specification(WHOLE, "f.yaml")
    assert (asked.name, asked.mode, asked.names) == ("kitchen", "paced", ("pi0", "pi1", "pi2"))
    first, second, third = asked.devices
    assert (first.cores, first.quota, first.memory_bytes, first.flop_per_s) == ((0,), 1.0, 3 * 2**29, 20e9)
    assert (second.cores, second.quota, third.quota) == ((1,), 0.25, None)
    assert asked.rate_bit_per_s("pi2", "pi1") == 50e6
    assert asked.rate_bit_per_s("pi1", "pi2") == 125e6
    assert asked.rate_bit_per_s("pi1", "pi0") == 10e6
    assert [asked.delay_ns(*way) for way in (("pi2", "pi0"), ("pi0", "pi2"), ("pi0", "pi1"))] == [
        5e6,
        1e6,
        2e5,
    ]


def test_a_specification_comes_back_from_its_document() -> None:
    asked = parse_specification(WHOLE, "f.yaml")
    assert specification_of(specification_json(asked)) == asked


def test_facts_tell_everything_apart_that_may_change_a_figure() -> None:
    changes = [
        ("mode: paced", "mode: real"),
        ("25 %", "26 %"),
        ("up: 50mbit", "up: 51mbit"),
        ("delay: 5ms", "delay: 6ms"),
        ("rate: 10 Mbit/s", "rate: 11 Mbit/s"),
        ("0.2 ms", "0.3 ms"),
        ("1.5 GiB", "1.6 GiB"),
        ("20 GFLOP", "21 GFLOP"),
        ("cores: 1", "cores: 0"),
    ]
    texts = [WHOLE, *(WHOLE.replace(old, new) for old, new in changes)]
    facts = [facts_of(parse_specification(text, "f")) for text in texts]
    assert len(set(facts)) == len(facts)
    assert not [text for text in facts if "\n" in text]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("devices: []\n", "no list of 1 to 64"),
        ("name: Küche\n" + TWO, "name is"),
        ("mode: fast\n" + TWO, "mode is 'fast'"),
        ("devices: [{name: a}, {name: a}]\n", "two devices are called a"),
        ("devices: [{name: head}]\n", "called head"),
        ("devices: [{name: a, quota: 0}]\n", "quota of a is '0', which is out of range"),
        ("devices: [{name: a, quota: -0.5}]\n", "quota of a is '-0.5'"),
        ("devices: [{name: a, memory: 600}]\n", "memory of a is '600'"),
        ("devices: [{name: a, memory: 1 MiB}]\n", "out of range"),
        ("devices: [{name: a, core: 1}]\n", "has the key core"),
        ("devices: [{name: a, cores: [x]}]\n", "cores of a"),
        ("devices: [{name: a, host: pi@b, quota: 0.5}]\n", "is a real machine and has quota"),
        ("devices: [{name: a, host: b}, {name: c}]\n", "some have none"),
        ("devices: [{name: a, host: '-oProxyCommand=x'}]\n", "host of a"),
        (TWO + "links: {default: {rate: 0}}\n", "rate of a is '0'"),
        (TWO + "links: {default: {rate: 125}}\n", "rate of a is '125'"),
        (TWO + "links: {c: {rate: 1 Mbit/s}}\n", "has the key c"),
        (TWO + "links: {a: {rate: 1 Mbit/s, up: 1 Mbit/s}}\n", "a rate and one direction"),
        (TWO + "links: {a: {delay: 11 s}}\n", "out of range"),
        (TWO + "pairs: [{between: [a, a]}]\n", "between"),
        (TWO + "pairs: [{between: [a, c]}]\n", "name two of the devices"),
        (TWO + "pairs: [{between: [a, b]}, {between: [b, a]}]\n", "a pair twice"),
        (
            TWO + "links: {default: {rate: 1 Mbit/s}}\npairs: [{between: [a, b], rate: 2 Mbit/s}]\n",
            "their links have 1 Mbit/s",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(text: str, words: str) -> None:
    assert words in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: &x 1",
        "a: [1, 2",
        "a: 'b",
        "a:\n\t- b",
        "a: 1\na: 2",
        "a:",
        "a: 1\n  b: 2",
        "- a\nb: c",
        "a: |\n  b",
    ],
)
def test_what_is_more_than_a_testbed_needs_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(TestbedError, match=r"f\.yaml"):
        parse_yaml(text, "f.yaml")


VALUES = st.recursive(
    st.from_regex(r"[a-c0-9]([a-c0-9 ./%]{0,6}[a-c0-9])?", fullmatch=True),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@given(value=VALUES)
def test_what_is_written_in_block_style_is_read_again(value: object) -> None:
    text = "\n".join(lines_of({"top": value}, 0))
    assert parse_yaml(text, "f") == {"top": value}


def lines_of(value: object, depth: int) -> list[str]:
    indent = "  " * depth
    if isinstance(value, dict):
        rows = []
        for key, each in value.items():
            inner = lines_of(each, depth + 1)
            rows += (
                [f"{indent}{key}: {inner[0].strip()}"]
                if isinstance(each, str)
                else [f"{indent}{key}:", *inner]
            )
        return rows
    if isinstance(value, list):
        rows = []
        for each in value:
            inner = lines_of(each, depth + 1)
            rows += [f"{indent}- {inner[0].strip()}"] if isinstance(each, str) else [f"{indent}-", *inner]
        return rows
    return [f"{indent}{value}"]


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("10.0.0.5", "10.0.0.5"),
        ("pi@kitchen", "kitchen"),
        ("ssh://pi@10.0.0.5:2222", "10.0.0.5"),
        ("ssh://pi", "pi"),
    ],
)
def test_a_real_machine_is_reached_by_the_address_that_ssh_is_told(host: str, address: str) -> None:
    (device,) = parse_specification(f"devices: [{{name: a, host: '{host}'}}]\n", "f").devices
    assert (device.host, device.host_address) == (host, address)


def test_a_machine_is_not_asked_for_more_than_it_has() -> None:
    def asked(text: str) -> Specification:
        return parse_specification(text, "f")

    cores, memory = frozenset({0, 1}), 2**30
    check_machine(asked("devices: [{name: a, cores: [1], quota: 1.0, memory: 1 GiB}]\n"), cores, memory)
    for text, words in (
        ("devices: [{name: a, cores: [2]}]\n", "asks for core 2"),
        ("devices: [{name: a, cores: [1], quota: 1.5}]\n", "may use 1"),
        ("devices: [{name: a, quota: 1.5}, {name: b, quota: 1.0}]\n", "2.5 cores together"),
        ("devices: [{name: a, memory: 1 GiB}, {name: b, memory: 1 GiB}]\n", "2048 MiB together"),
    ):
        with pytest.raises(TestbedError, match=words):
            check_machine(asked(text), cores, memory)


def test_a_paced_testbed_may_have_more_devices_than_the_machine_has_cores() -> None:
    text = "mode: paced\ndevices: [{name: a, quota: 1.5}, {name: b, quota: 1.0}]\n"
    check_machine(parse_specification(text, "f"), frozenset({0, 1}), 2**30)


def test_a_pair_has_a_class_of_its_own_within_the_link() -> None:
    asked = parse_specification(WHOLE, "f")
    lines = upward(asked, "pi0", ["10.0.0.1", "10.0.0.2", "10.0.0.3"], "eth0", delays_by="none", is_new=True)
    (pair,) = [line for line in lines if "filter" in line]
    assert "dst 10.0.0.2/32" in pair
    assert [line for line in lines if "ceil 10000000bit" in line]
    assert burst_bytes(10e6, "none") == 2 * 1514  # two frames: less would let nothing pass


def test_the_tool_needs_nothing_but_the_standard_library() -> None:
    """It is run by the Python of the system, where no package of ours is."""
    from pathlib import Path  # noqa: PLC0415 - of this test only

    tool = Path(__file__).parents[2] / "tools" / "edge_testbed"
    done = subprocess.run(
        [sys.executable, "-I", "-S", tool, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

"""The axes iso and compound of a sweep file."""

import re
from typing import Any

import pytest

from augment.compound import CompoundWalk
from augment.iso import IsoWalk
from augment.problem import Shape
from saih.config.definition import define, explained, restore
from saih.config.json_schema import sweep_json_schema
from saih.config.preset import preset_sweep
from saih.config.sweep_file import parse_sweep, with_axes
from saih.domain.errors import UsageError

HEAD = """\
name: walk
workload: cosmoflow
base: {data: {samples: 8, resolution: 32, channels: 2}, model: {depth: 1, width: 8}}
"""
ISO = "axes: {iso: {hold: flops, walk: {resolution: [32, 16]}, free: width, tolerance: 0.2}}\n"


def fault_of(axes: str, more: str = "") -> str:
    with pytest.raises(UsageError) as caught:
        parse_sweep(f"{HEAD}axes: {axes}\n{more}", "f")
    return str(caught.value)


def test_an_iso_walk_is_read() -> None:
    sweep = parse_sweep(HEAD + ISO, "f")
    rungs = (Shape.of(resolution=32), Shape.of(resolution=16))
    assert sweep.walk == IsoWalk(hold="flops", rungs=rungs, free="width", tolerance=0.2)
    assert sweep.ladders == ()


def test_its_lists_pair_up_or_cross_and_its_tolerance_has_a_default() -> None:
    text = "axes: {iso: {hold: memory, walk: {resolution: [32, 16], ranks: [1, 2]%s}, free: width}}\n"
    placement = "placement: {ranks_per_node: 2}\n"
    paired = parse_sweep(HEAD + text % "" + placement, "f").walk
    crossed = parse_sweep(HEAD + text % ", combine: product" + placement, "f").walk
    assert isinstance(paired, IsoWalk)
    assert isinstance(crossed, IsoWalk)
    assert (len(paired.rungs), len(crossed.rungs)) == (2, 4)
    assert paired.tolerance == 0.1


def test_a_compound_walk_is_read() -> None:
    sweep = parse_sweep(HEAD + "axes: {compound: {phi: [0, 1.5, -1]}}\n", "f")
    assert sweep.walk == CompoundWalk(phis=(0.0, 1.5, -1.0))


@pytest.mark.parametrize(
    ("sizes", "fault"),
    [
        ("ranks: [1, 3]", "3 ranks do not fill nodes of 2"),
        ("ranks: [1.5]", "ranks is 1.5; give a whole number"),
        ("batch_per_rank: [0]", "batch_per_rank is 0; give a whole number"),
        ("ranks: [many]", "ranks is 'many'"),
    ],
)
def test_ranks_and_batches_of_a_walk_are_whole_and_fill_nodes(sizes: str, fault: str) -> None:
    axes = f"{{iso: {{hold: flops, walk: {{{sizes}}}, free: width}}}}"
    assert fault in fault_of(axes, "placement: {nodes: 2, ranks_per_node: 2}\n")


@pytest.mark.parametrize("axes", [ISO, "axes: {compound: {phi: [0, 2]}}\n"])
def test_walks_are_kept_with_results_and_explained_in_files(axes: str) -> None:
    sweep = parse_sweep(HEAD + axes, "f")
    assert restore(define(sweep), "x") == sweep
    assert parse_sweep(explained(sweep), "x") == sweep


def test_a_sweep_without_a_walk_is_defined_as_before() -> None:
    assert not {"iso", "compound"} & set(define(preset_sweep("laptop"))["axes"])


@pytest.mark.parametrize(
    ("axes", "fault"),
    [
        ("{iso: {walk: {resolution: [16]}, free: width}}", "add `hold:`"),
        ("{iso: {hold: time, walk: {resolution: [16]}, free: width}}", "one of flops, memory, bytes"),
        ("{iso: {hold: flops, free: width}}", "add `walk:`"),
        ("{iso: {hold: flops, walk: {}, free: width}}", "at least one list"),
        ("{iso: {hold: flops, walk: {resolution: [16]}}}", "add `free:`"),
        ("{iso: {hold: flops, walk: {resolutoin: [16]}, free: width}}", "resolution"),
        ("{iso: {hold: flops, walk: {width: [16]}, free: width}}", "which walk gives"),
        ("{iso: {hold: flops, walk: {width: [16]}, free: universes}}", "a size that can follow"),
        ("{iso: {hold: flops, walk: {width: [1], depth: [1, 2]}, free: ranks}}", "width has 1, depth has 2"),
        ("{iso: {hold: flops, walk: {width: [1]}, free: depth, tolerance: 1}}", "below 1"),
        ("{iso: {hold: flops, walk: {width: [1]}, free: depth}, data: {samples: [8]}}", "remove the others"),
        ("{iso: {hold: flops, walk: {width: [1]}, free: depth}, compound: {phi: [1]}}", "remove the others"),
        ("{compound: {phi: []}}", "at least one value"),
        ("{compound: {phi: [100]}}", "inside these bounds"),
        ("{compound: {}}", "add `phi:`"),
    ],
)
def test_mistaken_walks_are_told(axes: str, fault: str) -> None:
    assert fault in fault_of(axes)


@pytest.mark.parametrize(
    "more", ["placement: [{ranks_per_node: 2}, {ranks_per_node: 1}]\n", "placement: {ranks_per_node: 2}\n"]
)
def test_ranks_change_in_one_place_only(more: str) -> None:
    ranks = "" if "[" in more else ", ranks: {ranks: [1, 2]}"
    axes = f"{{iso: {{hold: flops, walk: {{ranks: [1, 2]}}, free: width}}{ranks}}}"
    assert "one placement, whose ranks the walk changes" in fault_of(axes, more)


def test_a_workload_that_cannot_grow_by_cost_has_no_walks() -> None:
    with pytest.raises(UsageError, match="a workload whose sizes can follow from a cost"):
        preset_sweep("energon", ["axes={compound: {phi: [1]}}"])


def test_stations_count_towards_the_most_points() -> None:
    lists = f"{{width: {list(range(1, 401))}, depth: {list(range(1, 401))}, combine: product}}"
    assert "160000 points" in fault_of(f"{{iso: {{hold: flops, walk: {lists}, free: resolution}}}}")


def test_walks_are_left_out_or_kept_by_their_name() -> None:
    sweep = preset_sweep("iso")
    assert with_axes(sweep, ("iso",)) == sweep
    ranks = with_axes(sweep, ("ranks",))
    assert (ranks.name, ranks.walk) == ("iso-ranks", None)
    both = with_axes(sweep, ("iso", "ranks"))
    assert (both.name, both.walk) == ("iso-iso-ranks", sweep.walk)
    with pytest.raises(UsageError, match="no axis 'compound'"):
        with_axes(sweep, ("compound",))


def test_the_json_schema_knows_walks_of_workloads_that_grow() -> None:
    rules: list[dict[str, Any]] = sweep_json_schema()["allOf"]
    names = {
        rule["if"]["properties"]["workload"]["const"]: rule["then"]["properties"]["axes"]["propertyNames"][
            "enum"
        ]
        for rule in rules
    }
    assert {"iso", "compound"} <= set(names["cosmoflow"])
    assert "iso" not in names["galaxy"]


@pytest.mark.parametrize("size", ["'1.6 TB'", "1.6 TB", "512 GiB", "'0, 0.5, 2'", "1.0e+15"])
def test_sizes_may_be_amounts_lists_and_very_large(size: str) -> None:
    text = HEAD.replace("samples: 8", f"bytes: {size}")
    value = parse_sweep(text, "f").base.data["bytes"]
    assert value == (float(size) if "e+" in size else size.strip("'"))


@pytest.mark.parametrize("size", ["0, 0.5", "1.6 XB", "'1;2'", "2e18", "-1"])
def test_other_texts_are_no_sizes(size: str) -> None:
    text = re.sub("samples: 8", f"bytes: {size}", HEAD)
    with pytest.raises(UsageError):
        parse_sweep(text, "f")

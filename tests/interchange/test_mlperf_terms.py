from dataclasses import replace
from pathlib import Path

from saih.domain.system import System, key_of
from saih.interchange.mlperf_hpc import read_system
from saih.interchange.mlperf_terms import in_public_terms
from tests.interchange.mlperf_logs import run_lines, write_log


def ours(public: System, data: str) -> System:
    """The public points as a sweep would tell them, over a data set of its own."""
    points = tuple(
        replace(point, key=key_of({**dict(point.key), "data": data}), facts={}) for point in public.points
    )
    return replace(public, kind="saih", points=points)


def test_points_of_the_reference_grids_ask_what_public_points_ask(tmp_path: Path) -> None:
    public = read_system(write_log(tmp_path / "a.txt", run_lines([5])), "x", precision="bfloat16")
    data = '{"channels":4,"resolution":128,"samples":1024,"universes":64}'
    found = in_public_terms(ours(public, data))
    assert found.points[0].key == public.points[0].key
    assert dict(found.points[0].key)["precision"] == "bfloat16"
    assert found.points[0].facts["data set"] == "1024 samples made by SAIH"


def test_other_points_stay_as_they_are(tmp_path: Path) -> None:
    public = read_system(write_log(tmp_path / "a.txt", run_lines([5])), "x")
    for data in ('{"channels":4,"resolution":64,"samples":1024}', "no json", "[]", "{}"):
        assert in_public_terms(ours(public, data)) == ours(public, data)


def test_the_open_division_asks_something_else(tmp_path: Path) -> None:
    lines = run_lines([5])
    closed = read_system(write_log(tmp_path / "a.txt", lines), "x").points[0].key
    opened = [text.replace('"closed"', '"open"') for text in lines]
    assert read_system(write_log(tmp_path / "b.txt", opened), "x").points[0].key != closed

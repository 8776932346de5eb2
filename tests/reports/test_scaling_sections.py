import json
import math
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from pypdf import PdfReader

from saih.domain.trend import Analysis
from saih.reports.analysis_json import analysis_as_json
from saih.reports.grid import grids
from saih.reports.scaling_figure import rank_axis
from saih.reports.scaling_sections import scaling_sections
from saih.reports.terminal import points_lines, scaling_lines
from saih.reports.terminal_analysis import analysis_text
from saih.reports.trend_report import write_report

AnalysisOf = Callable[..., Analysis]


def words_of(path: Path) -> str:
    pages = "\n".join(page.extract_text() for page in PdfReader(path).pages)
    return re.sub(r"\s+", " ", pages.replace("\u200b", ""))


@pytest.mark.parametrize("kind", ["strong", "weak", "throughput"])
def test_the_report_says_what_more_ranks_bring(scaling_of: AnalysisOf, tmp_path: Path, kind: str) -> None:
    path = write_report(scaling_of(kind), tmp_path / "trend.pdf")
    titles = [item.title for item in PdfReader(path).outline if not isinstance(item, list)]
    place = titles.index("Where the time goes")
    assert titles[place + 1 : place + 3] == ["What more ranks bring", "Scaling over ranks in numbers"]
    text = words_of(path)
    assert f"{kind.capitalize()} scaling from 1 to 8 ranks of the test." in text
    assert "16 ranks: out of memory after 2 attempts: rank 3 was killed" in text
    assert ("speed-up" if kind == "strong" else "throughput [samples/s]") in text
    assert "rank-time per sample" in text
    assert not re.search(r"\b(nan|NaN|inf|None)\b", text)


def test_a_sweep_without_a_ranks_axis_says_nothing_of_it(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of()
    assert scaling_sections(analysis) == ()
    assert scaling_lines(analysis, 80) == []
    assert analysis_as_json(analysis)["scaling"] == []


@pytest.mark.parametrize(
    "shape",
    [
        {"ranks": (4,)},
        {"ranks": (1, 3, 7)},
        {"has_ceilings": False},
        pytest.param(
            {"ranks": tuple(2**power for power in range(14)), "num_lines": 3}, marks=pytest.mark.slow
        ),
        pytest.param({"num_lines": 13}, marks=pytest.mark.slow),
    ],
)
def test_any_number_of_rungs_and_lines_gives_a_report(
    scaling_of: AnalysisOf, tmp_path: Path, shape: dict[str, object]
) -> None:
    text = words_of(write_report(scaling_of(**shape), tmp_path / "trend.pdf"))
    assert "What more ranks bring" in text
    if shape.get("num_lines") == 13:
        assert "10 further lines" in text


@pytest.mark.parametrize("ranks", [(1,), (1, 2, 3, 4), (3, 7), tuple(2**power for power in range(14))])
def test_ticks_are_ranks_that_were_measured_and_have_room(ranks: tuple[int, ...]) -> None:
    axes = Figure().add_axes((0, 0, 1, 1))
    rank_axis(axes, [float(rank) for rank in ranks], 0.0)
    ticks = sorted(axes.get_xticks())
    low, high = (math.log(bound) for bound in axes.get_xlim())
    assert set(ticks) <= set(ranks)
    assert ticks[-1] == max(ranks)
    assert all(math.log(after / before) / (high - low) >= 0.08 for before, after in pairwise(ticks))
    assert low < math.log(ticks[0])
    assert math.log(ticks[-1]) < high


def test_the_terminal_and_json_hold_every_rung(scaling_of: AnalysisOf) -> None:
    analysis = scaling_of()
    text = analysis_text(analysis, 200)
    assert text.count("over ranks, strong, ") == 2
    assert "not measured: 16 ranks: out of memory after 2 attempts" in text
    assert sum(line.split()[:1] == ["8"] for line in scaling_lines(analysis, 200)) == 2
    document = json.loads(json.dumps(analysis_as_json(analysis), allow_nan=False))
    first = document["scaling"][0]
    assert [rung["num_ranks"] for rung in first["rungs"]] == [1, 2, 4, 8]
    assert first["rungs"][3]["efficiency"]["count"] == 24
    assert first["rises"]["interconnect"]["level"] == 0.95


def test_points_of_several_rank_counts_are_told_apart(scaling_of: AnalysisOf) -> None:
    lines = points_lines(scaling_of(), 80)
    assert lines[0].split()[:4] == ["#", "data", "model", "ranks"]
    text = analysis_text(scaling_of(), 80)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert any("8 ranks" in line for line in text.splitlines() if line.startswith("- "))


def test_each_placement_has_a_map_of_its_own_that_names_it(scaling_of: AnalysisOf) -> None:
    made = grids(scaling_of("strong", (1, 2, 16)))
    assert [grid.setting.split(" x 1 thread")[0] for grid in made] == [
        "1 node x 1 rank",
        "1 node x 2 ranks",
        "1 node x 16 ranks",
    ]
    assert all(len({cell.point.placement.num_ranks for cell in grid.cells.values()}) == 1 for grid in made)

"""The section on what would help, from a real measured sweep."""

from pathlib import Path

import pytest

from saih.analyzer.what_if_savings import DOUBLINGS, IDEALS
from saih.commands.analysis import analysis_of
from saih.commands.import_stage import import_file
from saih.domain.trend import Analysis
from saih.reports.analysis_json import analysis_as_json
from saih.reports.document import Bullets, Table
from saih.reports.what_if_section import what_if_section

BUNDLES = Path(__file__).parents[2] / "results" / "reference"


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    root = tmp_path_factory.mktemp("ranks")
    imported = import_file(BUNDLES / "ranks.saih.zip", root, None, is_dry=False)
    return analysis_of(imported.folder, root)[0]


@pytest.mark.slow
def test_each_point_has_its_best_ideal_and_its_best_doubling(analysis: Analysis) -> None:
    for point in analysis.points:
        own = [saving for saving in analysis.savings if saving.record_id == point.record_id]
        assert [saving.alteration in IDEALS for saving in own] == [True, False]
        assert own[1].alteration in DOUBLINGS
        assert all(0 <= saving.share.low <= saving.share.value <= saving.share.high <= 1 for saving in own)


@pytest.mark.slow
def test_the_section_is_marked_as_predicted_and_rests_on_records(analysis: Analysis) -> None:
    section = what_if_section(analysis)
    assert section is not None
    assert "predicted" in section.title
    table = next(block for block in section.blocks if isinstance(block, Table))
    bullets = next(block for block in section.blocks if isinstance(block, Bullets))
    limits = {str(point.diagnosis.limit) for point in analysis.points}
    assert {row[0] for row in table.rows} == limits
    assert len(bullets.items) == len(limits)


@pytest.mark.slow
def test_what_is_removed_has_no_speed_in_json(analysis: Analysis) -> None:
    found = analysis_as_json(analysis)["savings"]
    assert {saving["alteration"]["speed"] for saving in found} <= {None, 2.0}

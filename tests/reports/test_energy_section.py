import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pypdf import PdfReader

from saih.domain.energy import Energy, EnergyPart
from saih.domain.interval import Interval
from saih.domain.trend import Analysis, CurvePoint, EnergyTrend, PointSummary
from saih.reports.analysis_json import analysis_as_json
from saih.reports.document import Bullets, Document, Picture, Section, Table, write
from saih.reports.energy_section import energy_section
from saih.reports.energy_words import energy_claims, energy_lines

AnalysisOf = Callable[..., Analysis]
COVERAGE = "CPU packages of 1 of 1 node; GPUs 0; no memory, network, storage, fans, power supplies"
HOSTILE = "#let x = 1 $\\alpha$ <script>alert(1)</script> \x1b[31m \u202e نظام 系统"
DENIED = "permission denied: RAPL's package-0 (intel-rapl:0) may be read by root only"


def energy(joules: float, *, num_blocks: int = 8, coverage: str = COVERAGE) -> Energy:
    interval = Interval(low=0.97 * joules, value=joules, high=1.04 * joules, level=0.95, count=num_blocks)
    return Energy(
        joules=200 * joules,
        num_samples=200,
        num_blocks=num_blocks,
        joules_per_sample=interval if num_blocks >= 6 else None,
        joules_of={EnergyPart.PACKAGES: 200 * joules},
        source="rapl",
        coverage=coverage,
    )


def with_energy(analysis: Analysis, **settings: object) -> Analysis:
    """Each point with an energy that follows its work, and the trends of the analysis with them."""
    points = tuple(
        replace(point, energy=energy(3e-11 * point.flops_per_step**0.95 + 0.02, **settings))
        for point in analysis.points
    )
    known = {point.record_id: point.energy for point in points}
    trends = []
    for trend in analysis.trends:
        energies = tuple(known[record_id] for record_id in trend.record_ids)
        if len(energies) >= 3:
            curve = tuple(
                CurvePoint(size=size, interval=found.joules_per_sample, is_extrapolated=False)
                for size, found in zip(trend.sizes, energies, strict=True)
                if found.joules_per_sample
            )
            trends.append(
                EnergyTrend(
                    axis=trend.axis,
                    size_label=trend.size_label,
                    fixed=trend.fixed,
                    parts=(EnergyPart.PACKAGES,),
                    record_ids=trend.record_ids,
                    sizes=trend.sizes,
                    energies=energies,
                    curve=curve,
                    law="1.0 mJ + 2.0 mJ (x / 8)" if curve else "none",
                )
            )
    return replace(analysis, points=points, energy_trends=tuple(trends))


def section_of(analysis: Analysis) -> Section:
    section = energy_section(analysis)
    assert section is not None
    return section


def pictures(section: Section) -> list[Picture]:
    return [block for block in section.blocks if isinstance(block, Picture)]


def texts(section: Section) -> str:
    said = [
        getattr(item, "text", item)
        for block in section.blocks
        if isinstance(block, Bullets)
        for item in block.items
    ]
    said += [block.caption for block in pictures(section)]
    said += [" ".join(row) for block in section.blocks if isinstance(block, Table) for row in block.rows]
    return "\n".join(str(one) for one in said)


def without(points: tuple[PointSummary, ...], reason: str) -> tuple[PointSummary, ...]:
    return tuple(replace(point, energy=None, energy_reason=reason) for point in points)


def test_without_any_energy_the_section_is_one_sentence_with_the_reason(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of()
    section = section_of(replace(analysis, points=without(analysis.points, DENIED)))
    assert section.is_short
    assert len(section.blocks) == 1
    assert texts(section) == f"No energy is told: {DENIED}."


def test_several_reasons_name_the_most_frequent_and_count_the_others(analysis_of: AnalysisOf) -> None:
    points = analysis_of().points
    mixed = (*without(points[:1], "no counter"), *without(points[1:], DENIED))
    (claim,) = energy_claims(replace(analysis_of(), points=mixed))
    assert claim.text == (
        f"No energy is told: {DENIED} ({len(points) - 1} of {len(points)} points; 1 other reason)."
    )


def test_without_points_there_is_no_section(analysis_of: AnalysisOf) -> None:
    assert energy_section(replace(analysis_of(), points=(), trends=())) is None
    assert energy_lines(replace(analysis_of(), points=(), trends=())) == []


def test_every_axis_has_a_figure_with_its_coverage_and_every_point_a_row(analysis_of: AnalysisOf) -> None:
    analysis = with_energy(analysis_of())
    section = section_of(analysis)
    assert {picture.alt.split()[5] for picture in pictures(section)} == {"data", "model"}
    for picture in pictures(section):
        assert f"Counted: {COVERAGE}" in picture.caption
        ET.fromstring(picture.svg)  # noqa: S314 - made here
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    assert len(table.rows) == len(analysis.points)
    assert all(re.search(r"J \[.*\]", row[2]) for row in table.rows)


def test_claims_have_ids_of_their_own_and_name_their_records_and_laws(analysis_of: AnalysisOf) -> None:
    claims = energy_claims(with_energy(analysis_of()))
    assert len({claim.claim_id for claim in claims}) == len(claims)
    assert all(claim.record_ids for claim in claims)
    assert [claim for claim in claims if claim.fit == "1.0 mJ + 2.0 mJ (x / 8)"]


def test_too_few_blocks_are_said_to_have_no_interval(analysis_of: AnalysisOf) -> None:
    section = section_of(with_energy(analysis_of(), num_blocks=2))
    assert "(no interval: 2 blocks)" in texts(section)
    assert "[" not in "".join(
        row[2] for block in section.blocks if isinstance(block, Table) for row in block.rows
    )


def test_points_without_an_energy_among_others_are_counted_with_their_reason(analysis_of: AnalysisOf) -> None:
    analysis = with_energy(analysis_of())
    points = (*without(analysis.points[:2], DENIED), *analysis.points[2:])
    said = texts(section_of(replace(analysis, points=points)))
    assert f"2 points without an energy: {DENIED}." in said


def test_energies_of_different_parts_are_not_compared(analysis_of: AnalysisOf) -> None:
    analysis = with_energy(analysis_of())
    first = analysis.points[0]
    assert first.energy is not None
    gpu = replace(first.energy, joules_of={EnergyPart.GPUS: 5.0}, source="nvml_counter")
    points = (replace(first, energy=gpu), *analysis.points[1:])
    said = texts(section_of(replace(analysis, points=points)))
    assert "of different parts of their nodes: they cannot be compared" in said


def test_hostile_words_are_shown_inert_and_the_pages_hold_no_bad_number(
    analysis_of: AnalysisOf, tmp_path: Path
) -> None:
    analysis = with_energy(analysis_of(), coverage=HOSTILE)
    points = (*without(analysis.points[:1], HOSTILE), *analysis.points[1:])
    section = section_of(replace(analysis, points=points))
    document = Document(title="t", subtitle="s", description="d", sections=(section,))
    path = write(document, tmp_path / "energy.pdf")
    pages = " ".join(page.extract_text().replace("\u200b", "") for page in PdfReader(path).pages)
    assert "<script>" in pages
    assert "#let x = 1" in pages
    assert not re.search(r"\b(nan|NaN|inf|None)\b", pages)
    for line in energy_lines(replace(analysis, points=points), 80):
        assert "\x1b" not in line
        assert "\u202e" not in line
        assert len(line) <= 80


def test_programs_read_it_too(analysis_of: AnalysisOf) -> None:
    document = json.loads(json.dumps(analysis_as_json(with_energy(analysis_of())), allow_nan=False))
    first = document["points"][0]["energy"]
    assert first["joules_per_sample"]["count"] == 8
    assert first["joules_of"] == {"packages": pytest.approx(first["joules"])}
    assert first["coverage"] == COVERAGE
    assert document["energy_trends"][0]["energies"][0]["source"] == "rapl"


def test_one_point_has_a_row_and_no_curve(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of()
    one = with_energy(replace(analysis, points=analysis.points[:1], trends=()))
    section = section_of(one)
    assert pictures(section) == []
    assert "at the one point with an energy" in texts(section)

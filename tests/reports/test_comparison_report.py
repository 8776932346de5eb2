import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from saih.analyzer.comparison import compare
from saih.domain.comparison import Comparison
from saih.domain.system import Price, System
from saih.reports.claims_file import encode
from saih.reports.comparison_report import comparison_document, comparison_file, write_comparison
from saih.reports.comparison_words import comparison_claims, verdict

ComparisonOf = Callable[..., Comparison]
SystemFor = Callable[..., System]


def read(path: Path) -> tuple[PdfReader, str]:
    reader = PdfReader(path)
    pages = "\n".join(page.extract_text() for page in reader.pages)
    return reader, re.sub(r"\s+", " ", pages.replace("\u200b", ""))


def test_the_report_names_the_faster_system_the_crossing_and_what_differs(
    system_for: SystemFor, tmp_path: Path
) -> None:
    a, b = system_for("cluster A", [2.0, 1.26, 0.79, 0.5]), system_for("cluster B", [1.0] * 4)
    _, text = read(write_comparison(compare([a, b]), tmp_path / "comparison.pdf"))
    assert "cluster B passes cluster A at" in text
    assert "cpu_model: cluster A has processor of cluster A" in text
    assert "no price was given (--price)" in text
    assert "different (size: values in one sample, 4 sizes)" in text


def test_a_point_of_one_system_alone_is_listed_and_left_out(
    comparison_of: ComparisonOf, tmp_path: Path
) -> None:
    _, text = read(write_comparison(comparison_of(), tmp_path / "comparison.pdf"))
    assert "Only cluster A (1)" in text
    assert "geometric mean of 6 matched points" in text


def test_without_a_matched_point_the_page_says_that_nothing_can_be_compared_and_why(
    system_for: SystemFor, tmp_path: Path
) -> None:
    a = system_for("cluster A", [1.0] * 2)
    half = tuple(
        replace(point, key=tuple({**dict(point.key), "precision": "bfloat16"}.items())) for point in a.points
    )
    b = replace(system_for("cluster B", [1.0] * 2), points=half)
    _, text = read(write_comparison(compare([a, b]), tmp_path / "comparison.pdf"))
    assert "Nothing matched: no point was measured on both cluster A and cluster B" in text
    assert "2 would match but for precision (float32 on cluster A, bfloat16 on cluster B)" in text


def test_a_system_without_any_point_gives_a_report_that_says_so(
    system_for: SystemFor, tmp_path: Path
) -> None:
    empty = system_for("cluster B", [], failed=("32^3 x 4: out of memory: rank 0 was killed",))
    reader, text = read(
        write_comparison(compare([system_for("cluster A", [1.0]), empty]), tmp_path / "c.pdf")
    )
    assert "cluster B has no measured point, and 1 point that failed" in text
    assert "out of memory: rank 0 was killed" in text
    assert all(page.extract_text().strip() for page in reader.pages)


def test_of_three_systems_each_stands_against_each(system_for: SystemFor, tmp_path: Path) -> None:
    systems = [
        system_for(name, [factor] * 4) for name, factor in (("one", 1.0), ("two", 2.0), ("three", 4.0))
    ]
    _, text = read(write_comparison(compare(systems), tmp_path / "comparison.pdf"))
    assert "Each against each" in text
    for pair in ("one against two", "one against three", "two against three"):
        assert pair in text


def test_a_price_turns_the_faster_system_into_the_dearer_one(system_for: SystemFor) -> None:
    dear = system_for("dear", [2.0] * 4, price=Price(per_node_hour=30.0, currency="EUR"))
    cheap = system_for("cheap", [1.0] * 4, price=Price(per_node_hour=10.0, currency="EUR"))
    (pair,) = compare([dear, cheap]).pairs
    price = next(view for view in pair.views if view.view == "per price")
    assert pair.geometric_mean is not None
    assert price.ratio is not None
    assert pair.geometric_mean.value == pytest.approx(2)
    assert price.ratio.value == pytest.approx(2 / 3)
    assert price.is_different


def test_names_of_any_kind_and_length_are_shown_inert(system_for: SystemFor, tmp_path: Path) -> None:
    hostile = '#read("/etc/passwd") $x$ </script>'
    long = "x" * 10_000
    for name in (hostile, long, "نظام", "系统", "\x1b[2Jgone"):
        comparison = compare([system_for(name, [1.5, 0.8, 0.5]), system_for("B", [1.0] * 3)])
        one = write_comparison(comparison, tmp_path / "one.pdf")
        two = write_comparison(comparison, tmp_path / "two.pdf")
        assert one.read_bytes() == two.read_bytes()
    assert hostile in read(write_comparison(compare([system_for(hostile, [1.5]), system_for("B", [1.0])]),
                                            tmp_path / "h.pdf"))[1]  # fmt: skip


def test_every_finding_names_records_of_both_sides(comparison_of: ComparisonOf) -> None:
    comparison = comparison_of()
    claims = comparison_claims(comparison)
    assert len(claims) >= 4
    for claim in claims:
        systems = {record.rpartition("@")[2] for record in claim.record_ids}
        assert systems == {"cluster A", "cluster B"}
    document = comparison_document(comparison)
    printed = {claim.claim_id for claim in comparison_file(comparison, document).claims}
    assert {claim.claim_id for claim in claims} <= printed


def test_forty_points_draw_the_most_different_and_list_all(system_for: SystemFor, tmp_path: Path) -> None:
    factors = [1.0 + 0.02 * index for index in range(40)]
    comparison = compare([system_for("A", factors), system_for("B", [1.0] * 40)])
    _, text = read(write_comparison(comparison, tmp_path / "comparison.pdf"))
    assert "The 28 points nearest to equal speed are only in the table." in text
    assert "of 40 matched points" in text


def test_the_verdict_follows_the_decision_and_not_the_bare_interval(comparison_of: ComparisonOf) -> None:
    (pair,) = comparison_of().pairs
    for different, words in ((True, "cluster A is "), (False, "is not told apart from")):
        first = replace(pair.views[0], is_different=different)
        assert words in verdict(replace(pair, views=(first, *pair.views[1:])))


def test_claims_are_plain_json(comparison_of: ComparisonOf) -> None:
    comparison = comparison_of(name_a="</script><b>")

    text = encode(comparison_file(comparison, comparison_document(comparison)))
    assert "<" not in text
    assert json.loads(text)["kind"] == "comparison"

"""Claims from a report to its file and back, and where a report shows what they rest on."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saih.domain.claim import Claim
from saih.domain.trend import Analysis
from saih.reports.claims_carrier import claims_in
from saih.reports.claims_difference import difference
from saih.reports.claims_file import ClaimsFile, decode, encode
from saih.reports.document import Bullets, Document, Section, typeset
from saih.reports.evidence import claims_of, with_evidence
from saih.reports.trend_report import trend_claims, trend_document, write_report

AnalysisOf = Callable[..., Analysis]
texts = st.text(min_size=1, max_size=40)
claims = st.builds(
    Claim,
    claim_id=texts,
    text=texts,
    record_ids=st.lists(texts, max_size=3).map(tuple),
    fit=st.text(max_size=9),
)
digests = st.dictionaries(texts, texts, max_size=3)
files = st.builds(
    ClaimsFile,
    kind=st.sampled_from(["trend", "comparison"]),
    sweep=texts,
    environment_id=texts,
    claims=st.lists(claims, max_size=4).map(tuple),
    records=digests,
    ceilings=digests,
)


@given(files)
def test_claims_come_back_from_their_file_and_their_text_is_inert_in_html(content: ClaimsFile) -> None:
    text = encode(content)
    assert text.isascii()
    assert "<" not in text
    assert decode(text, "here") == content
    assert encode(decode(text, "here")) == text


def test_a_lone_surrogate_of_a_host_name_survives() -> None:
    claim = Claim(claim_id="a", text="on \ud800node")
    content = ClaimsFile(kind="trend", sweep="\ud800", environment_id="", claims=(claim,), records={})
    assert decode(encode(content).encode(), "here") == content


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"num_data": 0, "num_model": 0, "edge_fails": False},
        {"num_data": 1, "num_model": 1},
        {"all_fail": True},
        {"with_ceilings": False},
    ],
)
def test_every_finding_is_a_claim_with_an_id_of_its_own(
    analysis_of: AnalysisOf, shape: dict[str, object]
) -> None:
    analysis = analysis_of(**shape)
    found = claims_of(trend_document(analysis))
    assert len({claim.claim_id for claim in found}) == len(found)
    known = {point.record_id for point in analysis.points}
    assert {record_id for claim in found for record_id in claim.record_ids} <= known
    if known:
        assert set(next(claim for claim in found if claim.claim_id == "verdicts").record_ids) == known
        assert all(claim.fit.startswith("step = ") for claim in found if claim.claim_id == "growth/data")


def test_the_findings_over_ranks_are_claims_too(scaling_of: AnalysisOf) -> None:
    analysis = scaling_of()
    found = claims_of(trend_document(analysis))
    scaling = [claim for claim in found if claim.claim_id.startswith("strong-scaling/")]
    assert [len(claim.record_ids) for claim in scaling] == [4, 4]
    assert {claim.text for claim in scaling} <= {line.findings[0] for line in analysis.scaling}


def test_every_number_after_a_sentence_leads_to_its_row(analysis_of: AnalysisOf, tmp_path: Path) -> None:
    """The links go to the evidence, and each row there has one."""
    analysis = analysis_of()
    path = write_report(analysis, tmp_path / "trend.pdf")
    reader = pypdf.PdfReader(path)
    evidence = len(reader.pages) - 1
    text = re.sub(r"\s+", " ", reader.pages[evidence].extract_text())
    assert "Evidence" in text
    assert "growth/data" in text
    links = [
        annotation.get_object()
        for page in reader.pages[:evidence]
        for annotation in page.get("/Annots", [])
        if annotation.get_object()["/Subtype"] == "/Link"
    ]
    sentences = [
        item
        for section in trend_document(analysis).sections
        for block in section.blocks
        if isinstance(block, Bullets)
        for item in block.items
        if isinstance(item, Claim)
    ]
    assert len(links) == len(sentences)


def test_the_pdf_carries_its_claims_and_stays_accessible(analysis_of: AnalysisOf, tmp_path: Path) -> None:
    analysis = analysis_of()
    path = write_report(analysis, tmp_path / "trend.pdf")
    expected = encode(trend_claims(analysis, trend_document(analysis)))
    assert pypdf.PdfReader(path).attachments["claims.json"] == [expected.encode()]
    assert claims_in(path.read_bytes(), "trend.pdf") == expected.encode()
    data = path.read_bytes()
    assert b"pdfuaid:part" in data
    assert b"ModDate" not in data


def test_the_claims_of_a_pdf_written_anew_by_another_program_are_found(
    analysis_of: AnalysisOf, tmp_path: Path
) -> None:
    path = write_report(analysis_of(2, 1), tmp_path / "trend.pdf")
    writer = pypdf.PdfWriter(clone_from=path)
    writer.compress_identical_objects()
    writer.write(tmp_path / "again.pdf")
    again = (tmp_path / "again.pdf").read_bytes()
    assert again != path.read_bytes()
    assert claims_in(again, "again.pdf") == claims_in(path.read_bytes(), "trend.pdf")


def test_a_document_without_claims_has_no_evidence_and_one_with_has() -> None:
    plain = Document(title="t", subtitle="", description="d", sections=(_said("a sentence"),))
    assert with_evidence(plain) == plain
    assert b"claims.json" not in typeset(plain)
    twice = _said(
        Claim(claim_id="a", text="one"), Claim(claim_id="a", text="two"), Claim(claim_id="a", text="one")
    )
    document = with_evidence(replace(plain, sections=(twice,)))
    assert [claim.claim_id for claim in claims_of(document)] == ["a", "a/2"]
    assert document.sections[-1].title == "Evidence"


def test_differences_name_the_touched_records_behind_each_sentence() -> None:
    def content(text: str, **records: str) -> ClaimsFile:
        same = Claim(claim_id="same", text="same", record_ids=("a", "b"))
        moved = Claim(claim_id="moved", text=text, record_ids=("b", "c"))
        return ClaimsFile(kind="trend", sweep="s", environment_id="e", claims=(same, moved), records=records)

    found = difference(content("1", a="1", b="1", c="1"), content("2", a="1", b="2", d="1"))
    assert [(one.claim_id, one.behind) for one in found.claims] == [("moved", ("b", "c"))]
    assert (found.records.changed, found.records.vanished, found.records.new) == (("b",), ("c",), ("d",))
    assert found.num_equal == 1
    assert found.is_edited
    assert not difference(content("1", a="1"), content("1", a="1")).is_edited
    assert difference(content("1", a="1"), content("2", a="1")).is_edited
    grown = difference(content("1", a="1"), content("2", a="1", b="1"))
    assert (grown.is_edited, grown.is_outdated) == (False, True)


def test_json_is_the_same_for_the_same_content_in_any_order() -> None:
    first = ClaimsFile(kind="trend", sweep="s", environment_id="e", claims=(), records={"a": "1", "b": "2"})
    second = replace(first, records={"b": "2", "a": "1"})
    assert encode(first) == encode(second)
    assert json.loads(encode(first))["schema"] == 1


def _said(*items: str | Claim) -> Section:
    return Section(title="s", blocks=(Bullets(items=items),))

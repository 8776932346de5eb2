from collections.abc import Callable
from dataclasses import replace

from saih.domain.claim import Claim
from saih.domain.interval import Interval
from saih.domain.trend import Analysis
from saih.reports.caution import cautions, confidence
from saih.reports.document import sentence_of
from saih.reports.merit import range_words
from saih.reports.words import findings, outcome_words, system_words
from workloads.execution import PLAIN, REFERENCE, TUNED

AnalysisOf = Callable[..., Analysis]


def joined(sentences: tuple[str | Claim, ...]) -> str:
    return " ".join(sentence_of(item) for item in sentences).replace("\xa0", " ")


def text_of(interval: Interval) -> str:
    return f"{100 * interval.value:.2f} % [{100 * interval.low:.2f},"


def test_the_headline_goes_from_the_lowest_to_the_highest_share(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of()
    shares = [point.share_of_peak.value for point in analysis.points if point.share_of_peak]
    expected = f"{100 * min(shares):.2g} % → {100 * max(shares):.2g} %"
    assert range_words(analysis.points).replace("\xa0", " ") == expected


def test_the_headline_tells_executions_apart(analysis_of: AnalysisOf) -> None:
    points = analysis_of().points
    tuned = [replace(one, point=replace(one.point, execution=TUNED)) for one in points[-2:]]
    slow = [replace(one, point=replace(one.point, execution=REFERENCE)) for one in points[:2]]
    between = [replace(one, point=replace(one.point, execution=PLAIN)) for one in points[2:4]]
    expected = f"reference {range_words(slow)}, tuned {range_words(tuned)}"
    assert range_words([*tuned, *between, *slow]) == range_words([*tuned, *slow]) == expected


def test_findings_name_ends_growth_verdicts_switch_expectation_and_edge(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of()
    said = joined(findings(analysis))
    first = analysis.points[0]
    assert first.share_of_peak is not None
    assert f"goes from {text_of(first.share_of_peak)}" in said
    assert "Data grown x512 (at width 32): the share of peak rises" in said
    assert "What holds the points back: memory at 6, compute at 6 (of 12 measured points)." in said
    assert "verdict turns from memory to compute between 32^3 x 4, width 32" in said
    assert "at 4 times the largest measured data size" in said
    assert "2 points did not complete, such as 512^3 x 4, width 8 (out of memory)" in said


def test_without_ceilings_rates_are_told_and_no_share(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of(with_ceilings=False)
    said = joined(findings(analysis))
    assert "The rate goes from" in said
    assert "FLOP/s" in said
    assert "share of the measured peak" not in said
    assert "the median step goes from" in said
    assert "without a measured ceiling" in joined(cautions(analysis))


def test_when_all_points_fail_the_only_finding_says_so_with_the_counts(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of(all_fail=True)
    assert len(findings(analysis)) == 1
    assert "No point was measured" in findings(analysis)[0].text
    assert "12 planned, 12 failed: 12 out of memory, 0 dropped" in joined(findings(analysis))
    assert range_words(()) == "no point measured"


def test_one_point_is_called_the_only_one(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of(1, 1, edge_fails=False)
    assert findings(analysis)[0].text.startswith("The only measured point, 32^3 x 4, width 8,")
    assert "→" not in range_words(analysis.points)


def test_confidence_counts_points_checks_and_warnings(analysis_of: AnalysisOf) -> None:
    said = joined(confidence(analysis_of()))
    assert "12 of 14 planned points measured, 2 failed, 1 dropped before the run." in said
    assert "interval of the median step is 2.4 % wide, from 24 steps" in said
    assert "The loss did not fall at 3 of 12 points" in said
    assert "Checks of the trends: 7 passed, 0 failed, 7 undecided." in said
    assert "other processes used 34 % of the cores" in said


def test_points_that_are_not_run_yet_are_counted(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of(2, 1, edge_fails=False)
    words = outcome_words(
        Analysis(
            sweep_name="s",
            environment=analysis.environment,
            ceilings=(),
            points=analysis.points,
            trends=(),
            failed=(),
            dropped=(),
            num_planned=5,
            warnings=(),
        )
    )
    assert words.replace("\xa0", " ") == "2 of 5 planned points measured, 3 not run yet"


def test_thin_and_extrapolated_trends_are_cautioned(analysis_of: AnalysisOf) -> None:
    said = joined(cautions(analysis_of(num_data=3, num_model=2)))
    assert "Too few points for a law in" in said
    assert "Fewer than 5 points behind the law of" in said
    assert "Dashed parts of curves are extrapolated" in said


def test_the_system_is_one_line_of_its_known_facts(analysis_of: AnalysisOf) -> None:
    words = system_words(analysis_of().environment)
    assert words.startswith("Intel(R) Xeon(R) Processor @ 2.60GHz; ")
    assert "environment 00112233" in words
    assert "\n" not in words


def test_of_many_warnings_the_summary_shows_a_few_and_counts_the_rest(analysis_of: AnalysisOf) -> None:
    many = replace(analysis_of(2, 1), warnings=tuple(f"Warning {number}." for number in range(9)))
    last = [sentence_of(item) for item in confidence(many)[-2:]]
    assert last == ["Warning 1.", "7 more warnings at the end of the report."]
    assert "Warning 8." in joined(cautions(many))


def test_a_headline_above_the_ceiling_says_so(analysis_of: AnalysisOf) -> None:
    points = tuple(
        replace(point, share_of_peak=point.share_of_peak.scaled(100.0))
        for point in analysis_of().points
        if point.share_of_peak
    )
    assert range_words(points).endswith("%, above the ceiling")

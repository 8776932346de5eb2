from collections.abc import Callable
from dataclasses import replace

from saih.domain.contention import Pressure, contention_notes
from saih.domain.efficiency import PopEfficiency
from saih.domain.interval import Interval
from saih.domain.quantity import NO_BREAK
from saih.domain.trend import Analysis
from saih.domain.variation import Pattern, Variation
from saih.reports.efficiency_table import efficiency_table
from saih.reports.efficiency_words import efficiency_lines, pressure_lines

AnalysisOf = Callable[..., Analysis]


def around(value: float) -> Interval:
    return Interval(low=0.97 * value, value=value, high=1.03 * value, level=0.95, count=40)


def pop(num_ranks: int) -> PopEfficiency:
    return PopEfficiency(
        num_ranks=num_ranks,
        useful_ns=around(6e6),
        parallel=around(0.42),
        load_balance=around(0.7),
        communication=around(0.6),
        serialisation=around(0.75),
        transfer=around(0.8),
    )


VARIATION = Variation(
    pattern=Pattern.SLOW_RANK,
    num_ranks=4,
    num_steps=40,
    worker=0.03,
    step=0.0,
    residual=0.001,
    coupling=0.1,
    slowest_rank=3,
    slowest_ratio=1.3,
    statement="Rank 3 is always slow, 1.30 times its peers.",
)


def test_every_level_of_the_hierarchy_is_shown_with_its_interval(analysis_of: AnalysisOf) -> None:
    point = replace(analysis_of().points[0], efficiency=pop(4), variation=VARIATION)
    lines = dict(efficiency_lines(point))
    assert list(lines) == [
        "parallel",
        "load balance",
        "communication",
        "serialisation",
        "transfer",
        "variation",
    ]
    assert lines["load balance"].replace(NO_BREAK, " ") == "70.0 % [67.9, 72.1]"
    assert lines["variation"] == VARIATION.statement


def test_one_rank_has_nobody_to_balance_with(analysis_of: AnalysisOf) -> None:
    point = replace(analysis_of().points[0], efficiency=pop(1))
    assert [title for title, _ in efficiency_lines(point)] == ["parallel"]


def test_what_the_machine_tells_of_others_is_shown_as_shares_of_the_time() -> None:
    values = {
        Pressure.ELAPSED: 1000,
        Pressure.RUN_DELAY: 620,
        Pressure.CPU_SOME: 1100,
        Pressure.THROTTLED: 500,
        Pressure.GPU_POWER: 250,
    }
    lines = pressure_lines(contention_notes(values))
    text = " ".join(words for _, words in lines).replace(NO_BREAK, " ")
    assert "the stepping thread waited for a processor 62 %" in text
    assert "some task of the machine did 100 %" in text  # a total that ran on is no more than all
    assert "0.5 s for each second" in text
    assert "the clock of the GPU was held down by power 25 %" in text
    assert "stolen" in text  # not told here


def test_old_records_say_nothing_of_others() -> None:
    assert pressure_lines({"hosts": "a", "cache_state": "warm"}) == []


def test_the_table_has_a_row_for_each_rung_and_of_very_many_the_last_of_each_line(
    scaling_of: AnalysisOf,
) -> None:
    line = scaling_of(ranks=(1, 2)).scaling[0]
    rungs = tuple(
        replace(rung, pop=pop(rung.num_ranks), computation_scaling=around(0.9)) for rung in line.rungs
    )
    table = efficiency_table([("a", replace(line, rungs=rungs))])
    assert table is not None
    assert len(table.rows) == len(rungs)
    many = efficiency_table([(str(number), replace(line, rungs=rungs)) for number in range(60)])
    assert many is not None
    assert len(many.rows) == 60
    assert efficiency_table([("a", line)]) is None


def test_what_stages_do_not_wait_is_a_factor_where_there_are_stages(
    analysis_of: AnalysisOf, scaling_of: AnalysisOf
) -> None:
    staged = replace(pop(2), pipeline=around(0.5))
    lines = dict(efficiency_lines(replace(analysis_of().points[0], efficiency=staged)))
    assert list(lines)[3:5] == ["serialisation", "of it pipeline"]
    assert "the stage that waits least" in lines["of it pipeline"]
    line = scaling_of(ranks=(1, 2)).scaling[0]
    first, second = line.rungs[:2]
    rungs = (replace(first, pop=pop(1)), replace(second, pop=staged))
    table = efficiency_table([("a", replace(line, rungs=rungs))])
    assert table is not None
    place = [column.title for column in table.columns].index("pipeline")
    assert [row[place].replace(NO_BREAK, " ") for row in table.rows] == ["no stages", "50.0 % [48.5, 51.5]"]
    assert {len(row) for row in table.rows} == {len(table.columns)}
    without = efficiency_table([("a", replace(line, rungs=(replace(first, pop=pop(1)),)))])
    assert without is not None
    assert "pipeline" not in [column.title for column in without.columns]

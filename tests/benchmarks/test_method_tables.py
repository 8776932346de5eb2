import re

from benchmarks.method_tables import DOCUMENT, bars_of, with_figures

PRINTED = """\
a table that is no bar
BAR coverage-x8: 0.912 share (bar >= 0.85) PASS
BAR error: 12.5 % (bar < 10) FAIL
BAR growth-per-record: nan x (bar <= 1.5) FAIL
BAR named right: 0.970 share (bar >= 0.95) PASS
BAR triad 10 MiB: 1.020 of likwid-bench stream_sp_avx (bar 0.9 to 1.1) PASS
"""


def test_bars_are_read_as_they_are_printed() -> None:
    first, second, third, *spaced = bars_of(PRINTED)
    assert (first.name, first.value, first.unit, first.bar, first.is_reached) == (
        "coverage-x8", "0.912", "share", ">= 0.85", True,
    )  # fmt: skip
    assert (second.value, second.unit, second.is_reached) == ("12.5", "%", False)
    assert third.value == "nan"
    assert [(bar.name, bar.bar) for bar in spaced] == [
        ("named right", ">= 0.95"),
        ("triad 10 MiB", "0.9 to 1.1"),
    ]


def test_only_the_block_of_that_name_is_replaced_and_again_gives_the_same() -> None:
    text = "a\n<!-- figures one -->\nold\n<!-- end -->\nb\n<!-- figures two -->\n<!-- end -->\nc\n"
    once = with_figures(text, "one", "new \\1\n")
    assert once == text.replace("old\n", "new \\1\n")
    assert with_figures(once, "one", "new \\1\n") == once


def test_every_block_of_the_document_has_a_benchmark_that_is_there() -> None:
    names = re.findall(r"<!-- figures ([a-z_]+) -->", DOCUMENT.read_text(encoding="utf-8"))
    assert len(names) == len(set(names)) >= 6
    for name in names:
        assert (DOCUMENT.parent.parent / "benchmarks" / f"{name}.py").is_file(), name

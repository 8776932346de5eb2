"""Reports of extreme sweeps, each drawn but once for all tests that look at it."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace

from benchmarks.synthetic_sweep import Size, synthetic_analysis
from saih.domain.trend import Analysis
from saih.reports.document import Document
from saih.reports.trend_report import trend_document

HOSTILE = '#read("/etc/passwd") $\\frac{1}{2}$ </script> [/x] \x1b[31m*b* _i_ `c` @a <b>'


def named(analysis: Analysis, suffix: str) -> Analysis:
    """The analysis with ``suffix`` in the part of every label that tells rungs apart."""

    def longer(labels: Mapping[str, str]) -> dict[str, str]:
        return {
            axis: label if axis == "ranks" else label.replace(",", f" {suffix},", 1)
            for axis, label in labels.items()
        }

    return replace(
        analysis,
        sweep_name=suffix,
        points=tuple(replace(one, labels=longer(one.labels)) for one in analysis.points),
        failed=tuple(replace(one, labels=longer(one.labels)) for one in analysis.failed),
        dropped=tuple(replace(one, labels=longer(one.labels)) for one in analysis.dropped),
    )


CASES: dict[str, Callable[[], Analysis]] = {
    "one point": lambda: synthetic_analysis(Size(data=1, model=1, ranks=1)),
    "three points": lambda: synthetic_analysis(Size(data=3, model=1, ranks=1)),
    "twelve points": lambda: synthetic_analysis(Size(data=3, model=4, ranks=1)),
    "all failed": lambda: synthetic_analysis(Size(data=3, model=4, ranks=1), all_fail=True),
    "edge": lambda: synthetic_analysis(Size(data=8, model=3, ranks=2)),
    "long names": lambda: named(synthetic_analysis(Size(data=4, model=3, ranks=2)), "abcdefghij" * 8),
    "wide names": lambda: named(synthetic_analysis(Size(data=4, model=3, ranks=1)), "WM@" * 27),
    "markup": lambda: named(synthetic_analysis(Size(data=4, model=3, ranks=2)), HOSTILE),
    "four hundred points": lambda: synthetic_analysis(Size(data=8, model=10, ranks=5)),
}


@functools.cache
def drawn(case: str) -> tuple[Analysis, Document]:
    """An extreme sweep and its report, which takes most of a minute for four hundred points."""
    analysis = CASES[case]()
    return analysis, trend_document(analysis)

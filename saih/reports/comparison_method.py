"""How a comparison is made, for its reader."""

from saih.domain.quantity import counted

HOW_TO_CHECK = (
    "The number after a sentence leads to its row. Records are told by the first digits of their point, "
    "their attempt and their system. This report carries all of it in full, with the SHA-256 of every record "
    "that was there: `saih compare` of the same systems makes each sentence again."
)
_NOTES = (
    (
        "Intervals hold what the steps inside a run tell and how far runs of one point differ; the findings "
        "say where that noise comes from. Without repeats it is partly assumed: measure each system again, "
        "with another seed or name, to tell smaller differences."
    ),
    (
        "A crossing is told only between two sizes at which the two surely differ, in opposite ways; its "
        "interval holds all sizes at which they may be equally fast."
    ),
    (
        "Exponents are slopes of straight lines in log-log over the measured range, no law beyond it. Their "
        "difference comes from the ratios, in which what both systems share is gone."
    ),
    "A ratio says nothing of why: see the report of each system.",
)


def notes_on(num_tests: int) -> tuple[str, ...]:
    """What a reader must know, where ``num_tests`` questions of equality were asked."""
    decided = (
        f"{counted(num_tests, 'question')} of equality share one error rate of 5 % (Holm): two equal systems "
        "are called different anywhere in at most 5 % of comparisons. So an interval may miss 1 where the "
        "verdict still is: not told apart."
    )
    return (decided, *_NOTES) if num_tests else _NOTES[-1:]

"""Sentences of comparisons that are not claims."""

from saih.domain.system import System
from saih.reports.comparison_words import caution_words


def system(name: str, *cautions: str) -> System:
    return System(name=name, kind="mlperf", facts={}, cautions=cautions, points=())


def test_a_caution_of_several_systems_is_said_once_with_their_names() -> None:
    systems = (system("a", "old", "slow"), system("b", "slow", "slow"), system("c"))
    assert caution_words(systems) == ("a: old", "a, b: slow")

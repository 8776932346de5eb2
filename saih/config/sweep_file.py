"""A sweep file: text, overrides and presets in, a checked ``Sweep`` out."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from saih.config.entry import Entries, read_section
from saih.config.meaning import build_sweep, check_meaning
from saih.config.mistake import Mistake, SweepFileError, nearest, shown
from saih.config.node import Node, compose, with_value
from saih.config.rank_axis import NAME as RANKS
from saih.config.rank_axis import own_ladder
from saih.config.schema import sweep_schema
from saih.config.source import read_text
from saih.config.walk_axis import walk_name
from saih.domain.errors import UsageError
from saih.domain.sweep import Sweep
from workloads.catalog import WORKLOADS


def read_sweep(path: Path, overrides: Iterable[str] = ()) -> Sweep:
    """The sweep of a file, with ``key.sub=value`` overrides.

    Raises:
        UsageError: with every mistake of the file and of the overrides at once.
    """
    return parse_sweep(read_text(path), str(path), overrides)


def parse_sweep(text: str, source: str, overrides: Iterable[str] = ()) -> Sweep:
    """The sweep of a text that is called ``source`` in messages.

    Raises:
        UsageError: with every mistake of the text and of the overrides at once.
    """
    mistakes: list[Mistake] = []
    root = compose(text, lambda line, column: f"{source}:{line}:{column}", mistakes)
    if root is None:
        raise SweepFileError(source, mistakes)
    for override in overrides:
        root = _overridden(root, override, mistakes)
    entries = Entries(mistakes=mistakes)
    read_section(root, sweep_schema(tuple(WORKLOADS)), (), entries)
    check_meaning(entries, WORKLOADS)
    if mistakes:
        raise SweepFileError(source, mistakes)
    return build_sweep(entries)


def with_axes(sweep: Sweep, axes: Iterable[str]) -> Sweep:
    """``sweep`` growing along ``axes`` only; the others stay at the base.

    Every sweep of more than one rank has a ranks axis for the asking: without one of its own, 1, 2, 4, ...
    ranks up to its placement. A sweep that loses or gains axes is named after those that it has, so that
    its results have a folder of their own.

    Raises:
        UsageError: for an axis that the sweep has no ladder for.
    """
    walk = walk_name(sweep)
    own = (*(ladder.axis for ladder in sweep.ladders), *([walk] if walk else []))
    asked = tuple(dict.fromkeys(axes))
    for axis in asked:
        if axis not in (*own, RANKS):
            known = (*own, RANKS)
            raise UsageError(f"the sweep {sweep.name} has no axis {axis!r}", f"{nearest(axis, known)}.")
    if set(asked) == {*own, *([RANKS] if sweep.rank_ladder else [])}:
        return sweep
    kept = tuple(ladder for ladder in sweep.ladders if ladder.axis in asked)
    ranks = own_ladder(sweep) if RANKS in asked else None
    walked = [walk] if walk in asked else []
    name = "-".join((sweep.name, *(ladder.axis for ladder in kept), *walked, *([RANKS] if ranks else [])))
    own_walk = sweep.walk if walked else None
    return replace(sweep, name=name, ladders=kept, rank_ladder=ranks, walk=own_walk)


def _overridden(root: Node, override: str, mistakes: list[Mistake]) -> Node:
    """``root`` with one ``key.sub=value`` applied; the value is YAML, such as ``[16, 32]``."""
    key, equals, text = override.partition("=")
    locate = _located(key)
    path = tuple(key.strip().split("."))
    if not equals or not all(path):
        mistakes.append(
            Mistake(
                place=f"--set {shown(override)}",
                key="",
                found="no key and value",
                expected="key.sub=value",
                remedy="write it as --set timing.budget_s=5",
            )
        )
        return root
    value = compose(text, locate, mistakes)
    return root if value is None else with_value(root, path, value, mistakes)


def _located(key: str) -> Callable[[int, int], str]:
    return lambda _line, _column: f"--set {key}"

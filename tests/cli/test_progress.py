"""What a campaign tells while it runs."""

import pytest

from saih.commands.progress import Progress
from saih.commands.table import table


def heard(capsys: pytest.CaptureFixture[str], *, is_live: bool) -> str:
    progress = Progress(words={"a": "64^3, width 4", "b": "64^3, width 8"}, num_points=2, is_live=is_live)
    for event in (
        {"event": "job_begin", "task": "generate", "num_points": 2},
        {"event": "progress", "done": 1, "total": 9, "text": "universe 1"},
        {"event": "message", "text": "a message \x1b[31m"},
        {"event": "job_begin", "task": "measure", "num_points": 2},
        {"event": "point_begin", "point_id": "a", "attempt": 1},
        {
            "event": "point_end",
            "point_id": "a",
            "outcome": "completed",
            "step_ns": 12_300_000,
            "stop_reason": "sure",
        },
        {"event": "point_begin", "point_id": "b", "attempt": 1},
        {"event": "point_end", "point_id": "b", "outcome": "lost", "step_ns": None, "reason": "rank 1 died"},
        {
            "event": "point_end",
            "point_id": "b",
            "outcome": "out_of_memory",
            "step_ns": None,
            "reason": "too large",
        },
        {"event": "unknown"},
    ):
        progress.hear(event)
    progress.close()
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_without_a_terminal_every_change_is_one_full_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = heard(capsys, is_live=False).splitlines()
    assert lines[:3] == ["making data sets ...", "a message \\x1b[31m", "measuring ..."]
    assert lines[3].startswith("[1/2] 64^3, width 4: completed (12.3 ms per step; sure); about ")
    assert lines[4].startswith("[1/2] 64^3, width 8: lost (rank 1 died); about ")
    assert lines[5] == "[2/2] 64^3, width 8: out_of_memory (too large)"
    assert len(lines) == 6


def test_on_a_terminal_one_line_lives(capsys: pytest.CaptureFixture[str]) -> None:
    said = heard(capsys, is_live=True)
    assert "\r\x1b[K░░░░░░░░░░░░ [1/2] 64^3, width 4 ..." in said
    assert "\r\x1b[K██████░░░░░░ [2/2] 64^3, width 8 ...; about " in said
    assert "\r\x1b[Kuniverse 1 (1/9)" in said
    assert said.endswith("\r\x1b[K")
    assert "\x1b[31m" not in said


def test_tables_are_aligned_with_numbers_to_the_right() -> None:
    assert table(("name", "size"), [("a", "1.5 GB"), ("bcd", "20 GB")]) == (
        "name    size\n----  ------\na     1.5 GB\nbcd    20 GB"
    )
    assert table(("name",), []) == ""

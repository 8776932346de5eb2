"""Progress as people see it: on a real pseudo-terminal, in a file, and after Ctrl-C."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from saih.commands import lines
from saih.commands.lines import Lines, stdout_width
from saih.commands.progress import Progress

# Whoever runs the tests in the background may have had interrupts ignored, which programs inherit.
PROGRAM = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from saih.commands.lines import stderr_is_live
from saih.commands.progress import Progress
words = {"a": "宇宙宇宙宇宙 64^3 x 4, width 4, " * 4, "b": "width 8 \\x1b[31m"}
progress = Progress(words=words, num_points=2, is_live=stderr_is_live())
with progress.telling():
    progress.hear({"event": "job_begin", "task": "measure"})
    progress.hear({"event": "point_begin", "point_id": "a"})
    progress.beat()
    progress.hear({"event": "point_end", "point_id": "a", "outcome": "completed", "step_ns": 1.2e7})
    progress.hear({"event": "point_begin", "point_id": "b"})
    if len(sys.argv) > 1:
        print("READY", flush=True)
        time.sleep(60)
"""


def until(descriptor: int, wanted: bytes, patience_s: float = 30.0) -> bytes:
    """What was read up to ``wanted``, or to the end."""
    said, deadline = b"", time.monotonic() + patience_s
    while wanted not in said and time.monotonic() < deadline:
        if select.select([descriptor], [], [], 0.5)[0]:
            try:
                piece = os.read(descriptor, 65536)
            except OSError:  # how a pseudo-terminal says that the other side is gone
                break
            if not piece:
                break
            said += piece
    return said


def on_terminal(*arguments: str, columns: int = 80) -> tuple["subprocess.Popen[bytes]", int]:
    """The program on a pseudo-terminal of its own; gives our side of it."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    return process, ours


def screen_of(said: str) -> list[str]:
    """The rows that a terminal shows: a carriage return begins the row anew, erasing empties its rest."""
    rows = []
    for row in said.replace("\r\n", "\n").split("\n"):
        shown = row.rsplit("\r", 1)[-1] if "\r" in row else row
        rows.append(shown.replace("\x1b[K", ""))
    return rows


def test_on_a_terminal_one_line_lives_and_none_is_wider_than_it() -> None:
    process, terminal = on_terminal(columns=50)
    said = until(terminal, b"never").decode()
    os.close(terminal)
    assert process.wait(30) == 0
    rows = screen_of(said)
    assert next(row for row in rows if row) == "measuring ..."
    assert sum("completed" in row for row in rows) == 1
    assert rows[-1] == ""  # the cursor is on a clean row
    assert set(re.findall("\x1b[^K]*K?", said)) == {"\x1b[K"}
    live = [part for part in said.replace("\n", "\r").split("\r") if "░" in part]
    wide = [sum(2 if character in "宇宙" else 1 for character in part) - len("\x1b[K") for part in live]
    assert live
    assert max(wide) <= 49


def test_ctrl_c_leaves_the_terminal_clean() -> None:
    process, terminal = on_terminal("wait")
    said = until(terminal, b"READY")
    os.killpg(process.pid, signal.SIGINT)
    rest = until(terminal, b"never").decode()
    os.close(terminal)
    assert process.wait(30) != 0
    assert b"READY" in said
    assert "\r\x1b[K" in rest.partition("Traceback")[0]


def test_in_a_file_every_change_is_one_full_line(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    with path.open("wb") as log:
        subprocess.run(
            [sys.executable, "-c", PROGRAM], stdout=log, stderr=log, check=True,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip
    text = path.read_text(encoding="utf-8")
    assert text.splitlines()[0] == "measuring ..."
    assert text.splitlines()[1].startswith("[1/2] 宇宙")
    assert text.splitlines()[1].split("; about ")[1].endswith(" s left")
    assert len(text.splitlines()) == 2
    assert not {"\x1b", "\r", "░"} & set(text)


def test_without_a_terminal_a_heartbeat_comes_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s = [1000.0]
    monkeypatch.setattr("saih.commands.lines.time.monotonic", lambda: now_s[0])
    progress = Progress(words={"a": "width 4", "b": "width 8"}, num_points=2, is_live=False)
    progress.hear({"event": "job_begin", "task": "measure"})
    progress.hear({"event": "point_begin", "point_id": "a"})
    for _ in range(600):
        now_s[0] += 1.0
        progress.beat()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 + 600 // 61
    assert said[1] == "[1/2] width 4, for 61 s"
    progress.hear({"event": "point_end", "point_id": "a", "outcome": "completed"})
    progress.hear({"event": "point_begin", "point_id": "b"})
    for _ in range(61):
        now_s[0] += 1.0
        progress.beat()
    assert capsys.readouterr().err.splitlines()[-1] == "[2/2] width 8, for 61 s; about 9 min left"


def test_the_time_left_follows_what_was_predicted_of_each_point(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s = [0.0]
    monkeypatch.setattr("saih.commands.lines.time.monotonic", lambda: now_s[0])
    progress = Progress(words={}, num_points=2, is_live=False, predicted_s={"a": 1.0, "b": 30.0})
    progress.hear({"event": "job_begin", "task": "measure"})
    now_s[0] = 2.0
    progress.hear({"event": "point_end", "point_id": "a", "outcome": "completed"})
    assert capsys.readouterr().err.endswith("; about 60 s left\n")


@pytest.mark.parametrize(
    ("columns", "width"), [("200", 200), ("7", 40), ("100000", 400), ("", 80), ("x", 80)]
)
def test_what_is_printed_is_as_wide_as_asked(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert stdout_width() == width


def test_lines_of_threads_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    told = Lines(is_live=False)
    with lines.beating(lambda: told.stay("beat"), is_live=True):
        for _ in range(50):
            told.stay("x" * 500)
    assert set(capsys.readouterr().err.splitlines()) <= {"beat", "x" * 500}

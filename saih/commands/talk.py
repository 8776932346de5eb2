"""How the command line talks: data on stdout, talk on stderr, one JSON document where it is asked."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TextIO

import click

from saih.domain.errors import SaihError

JSON_VERSION = 1
"""Of every JSON document on stdout; it grows when a key changes its meaning or goes away."""
_PLAIN = str.maketrans(
    {"→": "->", "\N{MULTIPLICATION SIGN}": "x", "µ": "u", "±": "+-", "…": "...", "\N{MINUS SIGN}": "-"}
    | dict(zip("▁▂▃▄▅▆▇█", "_.-=+*%#", strict=True))
    | dict(zip("▏▎▍▌▋▊▉░", "||||###.", strict=True))
    | dict(zip("│┤─┴└", "||-++", strict=True))
)
"""For terminals without Unicode: blocks and lines of drawings keep their columns; the rest is escaped."""


class OutputError(SaihError):
    """What was asked for could not be written to stdout, so nothing else can be either."""


def is_json_asked(arguments: Sequence[str]) -> bool:
    """Whether ``--json`` stands among the options of a command line."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def say(text: str) -> None:
    """Tell the user something on stderr."""
    _write(inert(text), sys.stderr)


def give(text: str) -> None:
    """Give the user what was asked for, on stdout."""
    _write(inert(text), sys.stdout)


def give_json(schema: str, content: Mapping[str, Any]) -> None:
    """Give the one JSON document of a command, on stdout."""
    document = {"schema": f"saih.{schema}", "version": JSON_VERSION, **content}
    _write(json.dumps(document, indent=2, allow_nan=False), sys.stdout)


def failure(error: SaihError, *, is_json: bool) -> None:
    """Tell what went wrong and what to do about it."""
    if is_json:
        content = {
            "kind": type(error).__name__,
            "exit_code": error.exit_code,
            "problem": error.problem,
            "remedy": error.remedy,
            "mistakes": [asdict(mistake) for mistake in getattr(error, "mistakes", ())],
        }
        give_json("error", content)
        return
    head = click.style("error:", fg="red", bold=True)
    _write(f"{head} {inert(error.problem)}\n  -> {inert(error.remedy)}", sys.stderr)


def inert(text: str) -> str:
    """``text`` without anything that steers a terminal; line ends and tabs stay, spaces are plain."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else _escaped(character)
        for character in text.replace("\N{NO-BREAK SPACE}", " ")
    )


def uses_color(stream: TextIO) -> bool:
    """Whether to colour, by NO_COLOR, FORCE_COLOR, CLICOLOR, TERM, and whether a terminal reads."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    if os.environ.get("CLICOLOR") == "0" or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def let_go(stream: TextIO) -> None:
    """Write to nowhere from now on: the reader has enough, or the place is full."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _write(text: str, stream: TextIO | None) -> None:
    """Write a line; a stream that was closed before the start (None) takes none.

    A reader that leaves does not end the command, which may have a report to write and an exit code to
    give. Neither does talk that cannot be written.

    Raises:
        OutputError: when data cannot be written, as on a full disk.
    """
    if stream is None:
        return
    try:
        text.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        text = text.translate(_PLAIN)
    try:
        click.echo(text, file=stream, color=uses_color(stream))
    except OSError as error:
        let_go(stream)
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            raise OutputError(
                f"stdout cannot be written: {error.strerror}.", "send it where there is space left."
            ) from error


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()

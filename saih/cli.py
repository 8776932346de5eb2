"""The command line: finds the verb, loads only its module, and turns every end into an exit code."""

import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from io import TextIOWrapper
from types import FrameType

import click
from click.shell_completion import CompletionItem

from saih.commands.talk import OutputError, failure, is_json_asked, let_go
from saih.domain.errors import Interrupted, SaihError, UsageError

VERBS = {
    "sweep": "Measure a sweep, analyze it and write its report.",
    "plan": "Show what a sweep would run, with costs.",
    "status": "Show what became of every point of a sweep, and why.",
    "show": "Show everything about one point of a sweep.",
    "cancel": "Cancel the jobs of a sweep; finished points stay.",
    "analyze": "Print trends, limits and points of a sweep.",
    "verify": "Put verdicts to the test by switching their causes on and off.",
    "validate": "Show whether the problems of a sweep can be learnt.",
    "search": "Find for each cost the model that learns best.",
    "tune": "Search the fastest execution of each point.",
    "what-if": "Predict steps if something were faster, gone or larger.",
    "report": "Write the report of a sweep as PDF and as HTML, or check one.",
    "compare": "Compare two or more systems on matched points, or one over time.",
    "bundle": "Write the records of a sweep as one file for another site.",
    "import": "Import a bundle of another site, verified whole.",
    "export": "Write the completed points of a sweep in a format of others.",
    "trends": "Find the trends of series that others measured.",
    "generate": "Make the data sets of a sweep.",
    "data": "Look into data sets, verify them, and exchange them with others.",
    "ceilings": "Measure what this machine can do at best.",
    "doctor": "Check that this machine has what a sweep needs.",
    "init": "Write a sweep file in which every key is explained.",
    "schema": "Print the JSON Schema of sweep files.",
    "completion": "Print the completion script of a shell.",
}
"""Every verb with its one-line help; its command is ``command`` in ``saih.commands.VERB``."""
_MODULES = {"import": "importing", "what-if": "what_if"}
"""Modules of verbs whose names cannot be those of modules."""

EXIT_CODES = """\b
Exit codes:
  0    every point that was asked for is completed
  1    some points failed (the report is still made), or a stage could not do its work
  2    the command or the sweep file is wrong; nothing was started
  3    something the run needs is not on this machine
  4    a record, result or data file does not verify
  5    a comparison is below its --min-ratio, or a checked report is older than its results
  75   stopped before the end; the same command continues
  130  ended by Ctrl-C (INT), 143 by TERM; the same command continues

Data goes to stdout, talk to stderr. NO_COLOR, FORCE_COLOR and CLICOLOR are honoured."""


class Verbs(click.Group):
    """A group whose commands are imported when they are used, not when they are listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order of a day's work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb; None for an unknown one."""
        if cmd_name not in VERBS:
            return None
        found: click.Command = import_module(f"saih.commands.{_MODULES.get(cmd_name, cmd_name)}").command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that the arguments begin with; an unknown one is refused with the nearest."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            raise UsageError(
                f"there is no verb {args[0]!r}", f"use one of {', '.join(VERBS)}; see `saih --help`."
            )
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Verbs that begin so, without importing them."""
        verbs = [
            CompletionItem(verb, help=text) for verb, text in VERBS.items() if verb.startswith(incomplete)
        ]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=Verbs,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
)
@click.version_option(version("saih"), prog_name="saih")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the Python traceback of an error.")
@click.pass_context
def group(ctx: click.Context) -> None:
    """How AI performance on this system moves as the AI problem grows, and what holds it back.

    First run: `saih doctor`, then `saih sweep`. It needs no sweep file, and the same command again
    continues where it was stopped.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> None:
    """Run the command line of this process and exit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, _terminate)
    exit_code = run(sys.argv[1:])
    sys.exit(_flushed(exit_code))


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments ask; gives the exit code. Errors are told on stderr, or as JSON on stdout."""
    # Wherever --debug stands, it means the same.
    rest = [argument for argument in arguments if argument != "--debug"]
    try:
        result = group.main(args=rest, prog_name="saih", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except (Exception, KeyboardInterrupt) as cause:  # the edge: nothing may end in a bare traceback
        if len(rest) < len(arguments):
            traceback.print_exc()
        error = _as_ours(cause)
        failure(error, is_json=is_json_asked(arguments) and not isinstance(error, OutputError))
        return error.exit_code
    return result if isinstance(result, int) else 0


def _as_ours(cause: BaseException) -> SaihError:
    """The error to tell for whatever ended a command."""
    if isinstance(cause, SaihError):
        return cause
    if isinstance(cause, click.Abort | KeyboardInterrupt):
        stopped = Interrupted("stopped by Ctrl-C.", "run the same command again to continue.")
        stopped.exit_code = 128 + signal.SIGINT
        return stopped
    if isinstance(cause, click.ClickException):
        context = getattr(cause, "ctx", None)
        command = context.command_path if context else "saih"
        return UsageError(cause.format_message(), f"see `{command} --help`.")
    if isinstance(cause, OSError) and cause.filename is not None:
        return SaihError(
            f"{str(cause.filename)!r} cannot be used: {cause.strerror or cause}.",
            "check this path and its file system, then run the same command again.",
        )
    return SaihError(
        f"SAIH made a mistake of its own: {type(cause).__name__}: {cause}",
        "run it again with --debug, and report what it prints.",
    )


def _terminate(_number: int, _frame: FrameType | None) -> None:
    """End by TERM outside a campaign, which has its own handler."""
    sys.exit(128 + signal.SIGTERM)


def _flushed(exit_code: int) -> int:
    """The exit code after everything was really written, or could not be."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            let_go(stream)
    return exit_code

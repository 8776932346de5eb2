"""The command line: tools/edge_testbed COMMAND."""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tools.edge_testbed_parts import quantity
from tools.edge_testbed_parts.changes import Change, change, set_cables
from tools.edge_testbed_parts.errors import MISUSED, TestbedError
from tools.edge_testbed_parts.holder import hold
from tools.edge_testbed_parts.hosts import become_agent, find_host, run_on
from tools.edge_testbed_parts.measuring import measure, require_as_asked, table
from tools.edge_testbed_parts.parts import is_up, not_up
from tools.edge_testbed_parts.ranks import Ranks, run_ranks
from tools.edge_testbed_parts.run_folder import (
    DESCRIPTION,
    SITE,
    Testbed,
    all_folders,
    known_testbeds,
    open_named,
    open_testbed,
)
from tools.edge_testbed_parts.specification import Device, Link
from tools.edge_testbed_parts.specification_file import read_specification
from tools.edge_testbed_parts.status import peaks_forgotten, status_json, status_text
from tools.edge_testbed_parts.testbeds import down, up

ABOUT = "Edge devices on this machine (namespaces with limited links, processors, memory), or real ones."
_NONE = "none"
_Options = tuple[tuple[str, tuple[str, ...], Callable[[str, str], float]], ...]
_LINK_OPTIONS: _Options = (
    ("rate", ("up_bit_per_s", "down_bit_per_s"), quantity.bit_per_s),
    ("up", ("up_bit_per_s",), quantity.bit_per_s),
    ("down", ("down_bit_per_s",), quantity.bit_per_s),
    ("delay", ("delay_ns",), quantity.delay_ns),
)
"""What each option of ``change`` sets, and how it is read."""
_DEVICE_OPTIONS: _Options = (
    ("quota", ("quota",), quantity.cores_worth),
    ("memory", ("memory_bytes",), quantity.memory_bytes),
)


def main(arguments: Sequence[str]) -> int:
    """Runs one command; gives the exit status."""
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.run(asked) or 0)
    except TestbedError as error:
        sys.stderr.write(f"edge_testbed: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("edge_testbed: stopped; tools/edge_testbed down removes what is left.\n")
        return 130


def _up(asked: argparse.Namespace) -> None:
    signal.signal(signal.SIGTERM, _stopped)
    testbed = up(read_specification(asked.testbed))
    sys.stderr.write(f"{status_text(testbed)}\n")
    sys.stdout.write(f"{testbed.folder / SITE}\n")


def _down(asked: argparse.Namespace) -> None:
    found = known_testbeds() if asked.testbed is None else (_known(asked.testbed),)
    for testbed in found:
        down(testbed)


def _status(asked: argparse.Namespace) -> int:
    found = known_testbeds() if asked.testbed is None else (_known(asked.testbed),)
    if asked.is_json:
        sys.stdout.write(json.dumps([status_json(testbed) for testbed in found], indent=1) + "\n")
    elif not asked.is_quiet:
        sys.stdout.write("".join(f"{status_text(testbed)}\n" for testbed in found) or "no testbed\n")
    for testbed in found:
        if testbed.is_changing:
            raise TestbedError(
                f"a change of {testbed.asked.name} was cut off, and nobody knows what holds",
                "change it again, or start it again.",
            )
        if not is_up(testbed):
            raise not_up(testbed)
    return 0 if found else 1


def _run(asked: argparse.Namespace) -> int:
    testbed = _known(asked.testbed)
    peaks_forgotten(testbed)
    ranks = Ranks(command=_words(asked.command), port=asked.port, is_keeping_on=asked.is_keeping_on)
    return run_ranks(testbed, ranks)


def _enter(asked: argparse.Namespace) -> int:
    testbed, host = find_host(asked.host)
    return run_on(testbed, host, _words(asked.command), {})


def _change(asked: argparse.Namespace) -> None:
    testbed = change(_known(asked.testbed), asked.device, _wanted(asked))
    sys.stderr.write(f"{status_text(testbed)}\n")


def _measure(asked: argparse.Namespace) -> None:
    measured = measure(_known(asked.testbed), asked.seconds)
    sys.stdout.write(f"{table(measured)}\n")
    sys.stdout.flush()
    require_as_asked(measured)


def _site(asked: argparse.Namespace) -> None:
    sys.stdout.write(f"{_known(asked.testbed).folder / SITE}\n")


def _cut(asked: argparse.Namespace) -> None:
    set_cables(_known(asked.testbed), asked.device, "down" if asked.verb == "cut" else "up")


def _hold(asked: argparse.Namespace) -> int:
    return hold(asked.folder)


def _agent(asked: argparse.Namespace) -> None:
    become_agent(open_testbed(asked.folder), asked.host, asked.command)


def _known(name: str) -> Testbed:
    """The testbed that a name, or the file that it was made of, means."""
    if (all_folders() / name / DESCRIPTION).exists():
        return open_named(name)
    path = Path(name)
    return open_named(read_specification(path).name if path.exists() else path.stem.lower())


def _wanted(asked: argparse.Namespace) -> Change:
    link: dict[str, float | None] = {}
    device: dict[str, float | None] = {}
    for options, found in ((_LINK_OPTIONS, link), (_DEVICE_OPTIONS, device)):
        for option, keys, read in options:
            text = getattr(asked, option)
            if text is not None:
                found.update(dict.fromkeys(keys, None if text == _NONE else read(text, option)))
    if link.get("delay_ns", 0.0) is None:
        link["delay_ns"] = 0.0
    if not link and not device:
        raise TestbedError("nothing is to be changed", "give --rate, --delay, --quota or another.", MISUSED)

    def new_link(old: Link) -> Link:
        return replace(old, **link)  # type: ignore[arg-type]  # names and kinds are those of the tables

    def new_device(old: Device) -> Device:
        return replace(old, **device)  # type: ignore[arg-type]

    return Change(link=new_link, device=new_device)


def _words(command: list[str]) -> list[str]:
    words = command[1:] if command[:1] == ["--"] else command
    if not words:
        raise TestbedError("there is no command to run", "write it behind '--'.", MISUSED)
    return words


def _stopped(*_: object) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools/edge_testbed", description=ABOUT)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    make = verbs.add_parser("up", help="make the testbed of a file; prints the path of a site file for saih")
    make.add_argument("testbed", metavar="FILE", type=Path)
    make.set_defaults(run=_up)
    for name, act, about in (
        ("down", _down, "end all and remove all, also what a killed testbed left; without FILE: of all"),
        ("status", _status, "what there is, and the most memory of each device; status 1 when it is down"),
    ):
        verb = verbs.add_parser(name, help=about)
        verb.add_argument("testbed", metavar="FILE", nargs="?", help="its file or name")
        verb.set_defaults(run=act, is_json=False, is_quiet=False)
        if name == "status":
            verb.add_argument("--json", action="store_true", dest="is_json")
            verb.add_argument("--quiet", action="store_true", dest="is_quiet")
    _add_running(verbs)
    _add_changing(verbs)
    for name, act, words in (("hold", _hold, ("folder",)), ("agent", _agent, ("folder", "host"))):
        hidden = verbs.add_parser(name)
        for word in words:
            hidden.add_argument(word, type=Path if word == "folder" else str)
        hidden.add_argument("command", nargs=argparse.REMAINDER)
        hidden.set_defaults(run=act)
    return parser


def _add_running(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run = verbs.add_parser(
        "run", help="run a command on every device, with RANK, WORLD_SIZE, MASTER_ADDR ..."
    )
    run.add_argument("--port", type=int, default=29700, help="MASTER_PORT (default 29700)")
    run.add_argument("--keep-on", action="store_true", dest="is_keeping_on", help="when one fails, too")
    run.add_argument("testbed", metavar="FILE", help="its file or name")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    run.set_defaults(run=_run)
    enter = verbs.add_parser("enter", help="run a command on one device, or on 'head', the host beside them")
    enter.add_argument("host", metavar="NAME", help="DEVICE, or TESTBED-DEVICE")
    enter.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    enter.set_defaults(run=_enter)


def _add_changing(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    changes = verbs.add_parser("change", help="change a device and its link while they are used")
    for option, about in (
        ("--rate", "both directions: 50mbit, or none"),
        ("--up", "what it sends"),
        ("--down", "what it receives"),
        ("--delay", "one way: 5ms"),
        ("--quota", "processor time in cores: 0.25, or none"),
        ("--memory", "600mib, or none"),
    ):
        changes.add_argument(option, help=about)
    changes.set_defaults(run=_change)
    measures = verbs.add_parser("measure", help="what links and devices reach; status 1 where that is less")
    measures.add_argument("--seconds", type=float, default=1.0, help="of each stream (default 1)")
    measures.set_defaults(run=_measure)
    site = verbs.add_parser("site", help="path of its site file for saih")
    site.set_defaults(run=_site)
    cut = verbs.add_parser("cut", help="cut a device off; its processes go on")
    heal = verbs.add_parser("heal", help="connect it again")
    for verb in (cut, heal):
        verb.set_defaults(run=_cut)
    for verb in (changes, measures, site, cut, heal):
        verb.add_argument("testbed", metavar="FILE", help="its file or name")
        if verb not in (measures, site):
            verb.add_argument("device", metavar="DEVICE")

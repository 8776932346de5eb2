"""Hosts made of namespaces: making one, and putting a process into one (unshare(2), setns(2), prctl(2)).

A whole testbed lies in a process namespace of its own. Its first process holds everything: when that ends,
however it ends, the kernel ends all others, and networks, names and mounts vanish with them.
"""

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tools.edge_testbed_parts.errors import TestbedError

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
_HOST_KINDS = {"net": CLONE_NEWNET, "uts": CLONE_NEWUTS, "ipc": CLONE_NEWIPC, "mnt": CLONE_NEWNS}
_WHOLE_KINDS = {"pid_for_children": CLONE_NEWPID, **_HOST_KINDS}
_PR_SET_PDEATHSIG, _PR_GET_PDEATHSIG = 1, 2
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT)
_SHELL_SIGNAL = 128
_NOT_FOUND = 127
_ORPHANED = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """A process that is to run on a host of a testbed."""

    holder: int
    """The process that started the testbed's first, by its number outside: its namespaces are the same."""
    keeper: int
    """The process that keeps the host, by its number in the testbed's /proc."""
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: str


def own_words() -> list[str]:
    """The command that makes a testbed's namespaces and runs what follows as the first process in them.

    An ordinary user becomes root inside, of a user namespace that has no rights outside.
    """
    own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    spaces = ["--pid", "--fork", "--kill-child=SIGKILL", "--net", "--uts", "--ipc", "--mount"]
    return ["unshare", *own, *spaces, "--"]


def leave_for_own(*kinds: int) -> None:
    """Gives this process namespaces of its own.

    Raises:
        OSError: when the kernel refuses.
    """
    flags = 0
    for kind in kinds:
        flags |= kind
    _checked(_LIBC.unshare(flags), "unshare")


def become_host(name: str) -> None:
    """Makes this process a host of its own: network, name, shared memory."""
    leave_for_own(*_HOST_KINDS.values())
    socket.sethostname(name)


def run_inside(inside: Inside) -> int:
    """Runs a command on a host of a testbed, from outside; gives its exit status.

    Signals are passed on, and the command dies with this process.

    Raises:
        TestbedError: when the testbed is gone.
    """
    _enter_whole(inside.holder)
    child = os.fork()
    if child == 0:
        _become(inside)
    return _accompanied(child)


def run_in_whole(holder: int, work: Callable[[], None]) -> int:
    """Does some work beside the switch of a testbed, in a process of its own; gives its exit status.

    What it raises is told on stderr.
    """
    child = os.fork()
    if child == 0:
        _end_with(lambda: _enter_whole(holder), lambda: _waited(_forked(work)))
    return _waited(child)


def become_inside(keeper: int, command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Becomes a command on another host of the testbed that this process is in already."""
    folder = str(Path.cwd())
    _enter(keeper, _HOST_KINDS)
    _execute(command, environment, folder)


def show_own_processes() -> int:
    """Shows this namespace's processes in /proc, where the kernel lets it; gives this one's number there."""
    # In a user namespace inside a container, /proc may be covered in part, and then no new one is allowed:
    # the old one still shows every process, by its number outside.
    with suppress(OSError):
        mount("proc", "/proc", "proc")
    return shown_number()


def shown_number() -> int:
    """The number of this process in /proc."""
    return int(Path("/proc/self").readlink().name)


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """Mounts a file system (mount(2)).

    Raises:
        OSError: when the kernel refuses.
    """
    words = (source.encode(), target.encode(), kind.encode(), flags, data.encode())
    _checked(_LIBC.mount(*words), f"mount of {target}")


def die_with_parent() -> None:
    """Has the kernel kill this process when the one that started it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def die_with(parent: int) -> None:
    """As ``die_with_parent``, at once where ``parent``, which started this process, has ended already."""
    die_with_parent()
    if os.getppid() != parent:
        os._exit(1)


def _dies_with_parent() -> bool:
    found = ctypes.c_int()
    _LIBC.prctl(_PR_GET_PDEATHSIG, ctypes.byref(found), 0, 0, 0)
    return found.value != 0


def _enter_whole(holder: int) -> None:
    """Joins a testbed; processes that this one then starts are among its own."""
    parent, is_bound = os.getppid(), _dies_with_parent()
    try:
        is_own_user = Path(f"/proc/{holder}/ns/user").samefile("/proc/self/ns/user")
        kinds = {**({} if is_own_user else {"user": CLONE_NEWUSER}), **_WHOLE_KINDS}
        _enter(holder, kinds)
    except OSError as error:
        raise TestbedError(
            f"the testbed cannot be entered: {error}", "see tools/edge_testbed status; start it again."
        ) from error
    if is_bound:  # the kernel forgets it of a process that becomes root in a user namespace
        die_with(parent)


def _enter(pid: int, kinds: Mapping[str, int]) -> None:
    # All are opened before the first is joined: then /proc may be another one.
    opened = {name: os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in kinds}
    try:
        for name, kind in kinds.items():
            _checked(_LIBC.setns(opened[name], kind), f"joining the {name} namespace")
    finally:
        for each in opened.values():
            os.close(each)


def _become(inside: Inside) -> NoReturn:
    try:
        die_with_parent()
        if os.getppid() == _ORPHANED:  # one that lives is outside of this process namespace: 0
            os._exit(1)
        _enter(inside.keeper, _HOST_KINDS)
        _execute(inside.command, inside.environment, inside.folder)
    except OSError as error:
        sys.stderr.write(f"edge_testbed: {error}\n")
        os._exit(_NOT_FOUND)


def _execute(command: Sequence[str], environment: Mapping[str, str], folder: str) -> NoReturn:
    try:
        os.chdir(folder)
    except OSError:
        os.chdir("/")
    try:
        os.execvpe(command[0], list(command), dict(environment))  # noqa: S606 - no shell is the point
    except OSError as error:
        sys.stderr.write(f"edge_testbed: {command[0]}: {error.strerror}\n")
        os._exit(_NOT_FOUND)


def _forked(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        _end_with(die_with_parent, work)
    return child


def _end_with(*works: Callable[[], int | None]) -> NoReturn:
    """Ends this process with the status that the last work gives, or 1."""
    status = 0
    try:
        for work in works:
            status = work() or 0
    except BaseException as error:
        sys.stderr.write(f"edge_testbed: {error}\n")
        status = 1
    sys.stderr.flush()
    os._exit(status)


def _waited(child: int) -> int:
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else _SHELL_SIGNAL - code


def _accompanied(child: int) -> int:
    def pass_on(number: int, _: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    for number in _PASSED_ON:
        signal.signal(number, pass_on)
    return _waited(child)


def _checked(answer: int, what: str) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")

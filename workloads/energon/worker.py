"""A worker process: one rank of an engine, which does what arrives on the connection that it was handed.

Usage: ``python -m workloads.energon.worker DESCRIPTOR``; an engine starts it.
"""

import faulthandler
import os
import select
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from queue import SimpleQueue
from typing import Protocol

import torch
from torch import distributed
from torch.distributed import FileStore  # type: ignore[attr-defined]  # exported only where it was built

from workloads.energon.assignment import Assignment, assignment_of
from workloads.energon.command import Answer, Command
from workloads.energon.control_frames import command_of, status_of, whereabouts_frame
from workloads.energon.exit_status import ExitStatus
from workloads.energon.loading import load_rank
from workloads.energon.outbox import Outbox
from workloads.energon.whereabouts import whereabouts
from workloads.transport.frames import Frame, FrameReader, Limits
from workloads.transport.link_error import LinkError

_IDLE = timedelta(days=365)
"""How long an engine may have nothing to do. The controller notices deaths, not time-outs of collectives."""


class Rank(Protocol):
    """A rank that can work."""

    def do(self, command: Command) -> Answer | None:
        """Its part of one command; ranks of the last stage give the answer.

        Raises:
            LinkError: when another rank is gone.
        """

    def close(self) -> None:
        """Part from the other ranks, which do the same, and release memory and threads."""


Load = Callable[[Assignment], Rank]
Inbox = SimpleQueue[Command | None]
"""Commands in their order; None when no more will come."""


def work(connection: socket.socket, load: Load) -> ExitStatus:
    """Be the rank that the controller assigns, made by ``load``, until it says that this is enough."""
    reader = FrameReader(connection, Limits())
    told = reader.read()
    if told is None:
        return ExitStatus.CONTROLLER_LOST
    assignment = assignment_of(told)
    inbox: Inbox = SimpleQueue()
    outbox = Outbox(connection)
    threading.Thread(target=_listen, args=(reader, inbox, outbox), daemon=True).start()
    try:
        torch.set_num_threads(assignment.num_threads)
        _meet(assignment)
        rank = load(assignment)
    except Exception as error:  # whatever it is, the caller of launch gets it
        text = f"{error} (rank {assignment.rank})"
        outbox.tell(Frame(header={"kind": "failed", "error": type(error).__name__, "text": text}))
        return ExitStatus.FAILED
    outbox.tell(Frame(header={"kind": "ready"}))
    is_first = assignment.plan.share_of(assignment.rank).rank == 0
    return _serve(rank, inbox, lambda answer: outbox.send(answer if is_first else status_of(answer)))


def _listen(reader: FrameReader, inbox: Inbox, outbox: Outbox) -> None:
    """Queue what arrives. The process ends with its connection, whatever its other threads wait for."""
    try:
        while (frame := reader.read()) is not None:
            kind = frame.header["kind"]
            if kind == "where":
                outbox.tell(whereabouts_frame(whereabouts(threading.main_thread(), _serve.__code__)))
            else:
                inbox.put(None if kind == "close" else command_of(frame))
    except Exception as error:  # whatever it is, nothing is heard any more
        _say(error)
    finally:
        os._exit(ExitStatus.CONTROLLER_LOST)


def _meet(assignment: Assignment) -> None:
    """Make the default process group of all ranks."""
    plan, device = assignment.plan, torch.device(assignment.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if plan.num_ranks == 1:
        return
    store = FileStore(assignment.meeting_path, plan.num_ranks)
    store.set_timeout(_IDLE)
    distributed.init_process_group(
        "gloo", store=store, rank=assignment.rank, world_size=plan.num_ranks, timeout=_IDLE
    )


def _serve(rank: Rank, inbox: Inbox, report: Callable[[Answer], None]) -> ExitStatus:
    try:
        while (command := inbox.get()) is not None:
            if (answer := rank.do(command)) is not None:
                report(answer)
    except LinkError as error:
        _say(error)
        return ExitStatus.LINK_LOST
    rank.close()
    return ExitStatus.CLOSED


def _say(error: BaseException | None) -> None:
    """The last words of this process, which the controller reads where it is still there."""
    with suppress(OSError):
        traceback.print_exception(error)
        sys.stderr.flush()


def _end(args: threading.ExceptHookArgs) -> None:
    """A thread that failed would leave others waiting for it; better the process ends, and says why."""
    try:
        _say(args.exc_value)
    finally:
        os._exit(ExitStatus.FAILED)


def _outlive_nobody(controller: int) -> None:
    """End with the controller's process, whose end of the connection may live on in what it has forked."""
    select.select([controller], [], [])
    os._exit(ExitStatus.CONTROLLER_LOST)


def main(load: Load = load_rank) -> None:
    """Work, and leave without waiting for threads of others that no longer matter."""
    faulthandler.enable()
    threading.excepthook = _end
    if hasattr(os, "pidfd_open"):
        threading.Thread(target=_outlive_nobody, args=(os.pidfd_open(os.getppid()),), daemon=True).start()
    status = ExitStatus.FAILED
    try:
        status = work(socket.socket(fileno=int(sys.argv[-1])), load)
    except BaseException as error:  # whatever it is, it is told
        _say(error)
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()

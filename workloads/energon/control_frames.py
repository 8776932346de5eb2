"""Commands, answers and what else ranks say as frames, and back."""

from dataclasses import asdict, replace

import torch

from workloads.energon.command import Answer, Command
from workloads.energon.whereabouts import Doing, Whereabouts
from workloads.transformer.layout import Layout
from workloads.transformer.want import Want
from workloads.transport.frames import Frame, WireError
from workloads.transport.tensor_frames import tensor_frame, tensor_of


def command_frame(command: Command) -> Frame:
    """A command as it is sent."""
    header = {
        "kind": "command",
        "key": command.key,
        "layout": asdict(command.layout),
        "want": command.want,
        "sequence_ids": command.sequence_ids,
        "released_ids": command.released_ids,
    }
    return tensor_frame(header, command.tokens)


def command_of(frame: Frame) -> Command:
    """The command in a frame.

    Raises:
        WireError: for anything else.
    """
    header, layout = frame.header, frame.header.get("layout", {})
    try:
        return Command(
            key=header["key"],
            layout=Layout(
                lengths=tuple(layout["lengths"]), past=tuple(layout["past"]), padded_to=layout["padded_to"]
            ),
            tokens=torch.empty(0, dtype=torch.int64) if frame.lost else tensor_of(frame),
            lost=frame.lost,
            want=Want(header["want"]),
            sequence_ids=tuple(header["sequence_ids"]),
            released_ids=tuple(header["released_ids"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"a message is no command: {error!r}") from error


def answer_frame(answer: Answer) -> Frame:
    """An answer as it is sent: its status, and its rows where it has them."""
    header = {"kind": "answer", "key": answer.key, "failure": answer.failure}
    if answer.rows is None:
        return Frame(header=header)
    return tensor_frame(header, answer.rows)


def answer_of(frame: Frame) -> Answer:
    """The answer in a frame.

    Raises:
        WireError: for anything else.
    """
    header = frame.header
    try:
        if frame.lost:
            return Answer(key=header["key"], rows=None, failure=f"its answer was lost: {frame.lost}")
        rows = tensor_of(frame) if "shape" in header else None
        return Answer(key=header["key"], rows=rows, failure=header["failure"])
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"a message is no answer: {error!r}") from error


def whereabouts_frame(found: Whereabouts) -> Frame:
    """What a rank does, as it is sent."""
    return Frame(header={"kind": "whereabouts"} | asdict(found))


def whereabouts_of(frame: Frame) -> Whereabouts:
    """What a rank says that it does.

    Raises:
        WireError: for anything else.
    """
    try:
        return Whereabouts(doing=Doing(frame.header["doing"]), stack=str(frame.header["stack"]))
    except (KeyError, ValueError) as error:
        raise WireError(f"a message does not tell what a rank does: {error!r}") from error


def status_of(answer: Answer) -> Answer:
    """An answer without its rows."""
    return replace(answer, rows=None)

"""Frames between the controller and its workers."""

import gc
import json
import socket
import struct
import threading
import weakref
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.workloads.energon.little_memory import little_memory
from workloads.energon.assignment import Assignment, assignment_frame, assignment_of
from workloads.energon.command import Answer, Command
from workloads.energon.control_frames import answer_frame, answer_of, command_frame, command_of
from workloads.energon.outbox import Outbox
from workloads.energon.plan import plan_engine
from workloads.energon.ranks import Carrier
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.layout import Layout
from workloads.transformer.want import Want
from workloads.transport.frames import Frame, FrameReader, Limits, WireError, following, packed, send_frame

PREFIX = struct.Struct("<4sIQ")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def through(frame: Frame, pair: tuple[socket.socket, socket.socket]) -> Frame:
    """What arrives of a frame that may be larger than what the kernel buffers."""
    sending = threading.Thread(target=send_frame, args=(pair[0], frame))
    sending.start()
    arrived = FrameReader(pair[1], Limits()).read()
    sending.join()
    assert arrived is not None
    return arrived


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64])
@pytest.mark.parametrize("shape", [(3, 5), (0, 5), (7,), (300, 1000)])
def test_rows_arrive_as_they_were_sent(
    dtype: torch.dtype, shape: tuple[int, ...], pair: tuple[socket.socket, socket.socket]
) -> None:
    rows = (torch.randn(shape) * 100).to(dtype)
    arrived = answer_of(through(answer_frame(Answer(key=7, rows=rows)), pair))
    assert arrived.rows is not None
    assert arrived.rows.dtype is dtype
    assert torch.equal(arrived.rows, rows)
    assert (arrived.key, arrived.failure) == (7, "")


def test_rows_that_do_not_lie_together_arrive_in_order(pair: tuple[socket.socket, socket.socket]) -> None:
    rows = torch.arange(12.0).reshape(3, 4).T
    arrived = answer_of(through(answer_frame(Answer(key=0, rows=rows)), pair)).rows
    assert arrived is not None
    assert torch.equal(arrived, rows)


def test_a_failure_arrives_without_rows(pair: tuple[socket.socket, socket.socket]) -> None:
    answer = Answer(key=3, rows=None, failure="ValueError: \N{SNOWMAN} (rank 1)")
    assert answer_of(through(answer_frame(answer), pair)) == answer


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    padding=st.none() | st.just(9),
    want=st.sampled_from(Want),
    num_released=st.integers(0, 2),
)
def test_commands_arrive_as_they_were_sent(
    lengths: list[int], padding: int | None, want: Want, num_released: int
) -> None:
    is_kept = num_released > 0
    past = tuple(range(len(lengths))) if is_kept else ()
    layout = Layout(lengths=tuple(lengths), past=past, padded_to=padding)
    command = Command(
        key=2**40,
        layout=layout,
        tokens=torch.arange(layout.num_rows),
        want=want,
        sequence_ids=tuple(range(5, 5 + len(lengths))) if is_kept else (),
        released_ids=(1, 2)[:num_released],
    )
    ours, theirs = socket.socketpair()
    with ours, theirs:
        arrived = command_of(through(command_frame(command), (ours, theirs)))
    assert torch.equal(arrived.tokens, command.tokens)
    assert arrived.layout == layout
    assert (arrived.key, arrived.want) == (command.key, want)
    assert (arrived.sequence_ids, arrived.released_ids) == (command.sequence_ids, command.released_ids)


def test_an_assignment_arrives_as_it_was_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    architecture = TransformerArchitecture(
        family=Family.LLAMA,
        num_layers=5,
        hidden_size=24,
        num_heads=6,
        num_kv_heads=3,
        head_size=4,
        ffn_size=17,
        vocab_size=101,
        max_length=64,
        activation=Activation.SILU,
        norm_epsilon=1e-6,
        is_head_tied=False,
        rope_theta=5e5,
    )
    assignment = Assignment(
        rank=3,
        architecture=architecture,
        plan=plan_engine(architecture, tensor_parallel=3, pipeline_parallel=2, num_parked=1),
        checkpoint="/a folder",
        seed=5,
        device="cpu",
        dtype="bfloat16",
        carrier=Carrier.HOST,
        num_threads=2,
        cache_bytes=1 << 40,
        meeting_path="/proc/self/fd/9",
        secret="known to few",
        folder="",
    )
    assert assignment_of(through(assignment_frame(assignment), pair)) == assignment


def test_frames_come_whole_however_their_bytes_arrive(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.settimeout(0.0)
    reader = FrameReader(theirs, Limits())
    frames = [Frame(header={"kind": "a", "n": n}, body=bytes(range(n))) for n in (0, 1, 40)]
    arrived = []
    for byte in b"".join(b"".join(packed(frame)) for frame in frames):
        ours.send(bytes([byte]))
        try:
            frame = reader.read()
        except BlockingIOError:
            continue
        assert frame is not None
        arrived.append((frame.header, bytes(frame.body)))
    assert arrived == [(frame.header, frame.body) for frame in frames]


def test_the_end_of_a_connection_is_no_frame(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    ours.send(b"NRG")
    ours.close()
    assert FrameReader(theirs, Limits()).read() is None


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        PREFIX.pack(b"NRGN", 0, 0),
        PREFIX.pack(b"NRGN", 2, 0) + b"{}",
        PREFIX.pack(b"NRGN", 4, 0) + b"\x80\x04N.",
        PREFIX.pack(b"NRGN", 6, 0) + b"[1, 2]",
        PREFIX.pack(b"NRGN", 2**32 - 1, 0),
        PREFIX.pack(b"NRGN", 2, 2**63),
    ],
)
def test_what_is_no_frame_is_refused(sent: bytes, pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].send(sent)
    with pytest.raises(WireError):
        FrameReader(pair[1], Limits()).read()


@pytest.mark.parametrize(
    ("change", "tensor"),
    [
        ({"shape": [4, 4]}, torch.zeros(3)),
        ({"dtype": "object"}, torch.zeros(3)),
        ({"shape": "no"}, torch.zeros(3)),
    ],
)
def test_a_tensor_that_is_not_as_announced_is_refused(change: dict[str, object], tensor: Tensor) -> None:
    frame = answer_frame(Answer(key=0, rows=tensor))
    with pytest.raises(WireError):
        answer_of(Frame(header=frame.header | change, body=frame.body))  # type: ignore[operator]  # a dict


@pytest.mark.parametrize("header", [{}, {"key": 1, "layout": 3}, {"key": 1, "layout": {"lengths": [1]}}])
def test_a_command_that_lacks_something_is_refused(header: dict[str, object]) -> None:
    with pytest.raises(WireError):
        command_of(Frame(header={"kind": "command"} | header))


def test_what_was_not_sent_yet_follows_what_was() -> None:
    buffers = [memoryview(b"abc"), memoryview(b""), memoryview(b"de")]
    for num_sent in range(6):
        assert b"".join(following(buffers, num_sent)) == b"abcde"[num_sent:]


def test_a_header_beyond_the_limit_is_not_sent() -> None:
    with pytest.raises(WireError, match="ask for fewer sequences"):
        packed(Frame(header={"kind": "x" * (1 << 24)}))
    assert json.loads(bytes(packed(Frame(header={"kind": "x"}))[0][PREFIX.size :])) == {"kind": "x"}


def test_what_has_arrived_is_not_kept_by_who_read_it(pair: tuple[socket.socket, socket.socket]) -> None:
    reader = FrameReader(pair[1], Limits())
    send_frame(pair[0], Frame(header={"kind": "a"}, body=b"12345"))
    frame = reader.read()
    assert frame is not None
    assert isinstance(frame.body, memoryview)
    body = weakref.ref(frame.body.obj)
    assert body() is not None
    del frame
    gc.collect()
    assert body() is None


def test_a_body_without_room_is_lost_alone_and_the_next_frame_is_whole(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    reader = FrameReader(pair[1], Limits())
    rows = torch.zeros(1 << 26)  # 256 MiB
    frames = [answer_frame(Answer(key=7, rows=rows)), command_frame(a_command(rows.long()[:0]))]
    frames[1] = Frame(header=frames[1].header, body=frames[0].body)
    frames.append(answer_frame(Answer(key=9, rows=torch.ones(3))))

    def send_all() -> None:
        for frame in frames:
            send_frame(pair[0], frame)

    sending = threading.Thread(target=send_all)
    sending.start()
    with little_memory(1 << 26):
        lost, without_tokens, whole = reader.read(), reader.read(), reader.read()
    sending.join()
    assert lost is not None
    assert without_tokens is not None
    assert whole is not None
    told = "there was no memory for 268435456 bytes"
    assert answer_of(lost) == Answer(key=7, rows=None, failure=f"its answer was lost: {told}")
    assert (command_of(without_tokens).key, command_of(without_tokens).lost) == (8, told)
    rows = answer_of(whole).rows
    assert rows is not None
    assert rows.tolist() == [1.0, 1.0, 1.0]


def a_command(tokens: Tensor) -> Command:
    return Command(key=8, layout=Layout(lengths=(1,)), tokens=tokens, want=Want.ALL_ROWS)


def test_an_answer_that_cannot_be_sent_is_told_in_its_place_and_later_ones_go(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    outbox, reader = Outbox(pair[0]), FrameReader(pair[1], Limits())
    wide = torch.zeros(1, 1 << 14).expand(1 << 12, -1)  # 256 MiB once they lie one after the other
    with little_memory(1 << 26):
        outbox.send(Answer(key=1, rows=wide))
        failed = answer_of(frame_of(reader))
    assert (failed.key, failed.rows) == (1, None)
    assert "can't allocate memory" in failed.failure
    outbox.send(Answer(key=2, rows=torch.ones(2)))
    assert answer_of(frame_of(reader)).key == 2
    outbox.tell(Frame(header={"kind": "ready"}))
    assert frame_of(reader).header == {"kind": "ready"}


def frame_of(reader: FrameReader) -> Frame:
    frame = reader.read()
    assert frame is not None
    return frame

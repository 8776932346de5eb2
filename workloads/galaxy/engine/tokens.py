"""Token ids that the first device of a plan has, told to all others."""

import torch
from jaxtyping import Int
from torch import Tensor

from workloads.galaxy.engine.desk import Expected, Room
from workloads.galaxy.engine.inbox import Inbox
from workloads.galaxy.engine.message import Kind
from workloads.galaxy.engine.station import Station
from workloads.transport.host_bytes import bytes_of


def told_tokens(
    station: Station, tokens: Int[Tensor, " rows"] | None, num_tokens: int, *, tag: int, epoch: int
) -> Int[Tensor, " rows"]:
    """The tokens that the first device gives, on all devices; all of them call this.

    Raises:
        ValueError: where the first device gives another number of them.
        LinkError: when one of the devices is gone.
    """
    if tokens is not None and tokens.shape != (num_tokens,):
        raise ValueError(f"{list(tokens.shape)} tokens are given, where {num_tokens} shall be told.")
    if station.position == 0 and tokens is None:
        raise ValueError("the first device of a plan has to give the tokens that all are told.")
    room = torch.zeros(num_tokens, dtype=torch.int64)
    rooms = {(Kind.TOKENS.value, 0, 0): Room(bytes_of(room), None)} if station.position else {}
    station.ring.begin(Expected(rooms=rooms, tag=tag, epoch=epoch, devices=station.plan.devices))
    if station.position:
        Inbox(station).take(Kind.TOKENS, 0, 0)
    elif tokens is not None:
        room.copy_(tokens)
        for place in station.others:
            station.send(place, Kind.TOKENS, 0, 0, room)
    return room.to(station.place.device)

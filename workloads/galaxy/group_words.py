"""What ranks tell each other before their work: JSON values, through the process group that they have."""

import json
from typing import Any

import torch
from torch import distributed
from torch.distributed import ProcessGroup
from torch.nn import functional

Json = Any  # whatever JSON holds


def told_by_all(own: Json, group: ProcessGroup | None) -> list[Json]:
    """What every rank tells, by rank; all of them call it. One that is alone (None) hears itself."""
    raw = json.dumps(own).encode()
    if group is None:
        return [json.loads(raw)]
    words = torch.frombuffer(bytearray(raw), dtype=torch.uint8)
    sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(group.size())]
    distributed.all_gather(sizes, torch.tensor([words.numel()]), group=group)
    most = max(int(size) for size in sizes)
    of_all = [torch.empty(most, dtype=torch.uint8) for _ in sizes]
    distributed.all_gather(of_all, functional.pad(words, (0, most - words.numel())), group=group)
    return [json.loads(each[: int(size)].numpy().tobytes()) for each, size in zip(of_all, sizes, strict=True)]

"""The same weights with the same layers on the disk in accelerate, over the same link, in turns with ours."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import torch

from benchmarks.bars import judge
from benchmarks.energon_offload_peer import Offloader, start_offloader
from benchmarks.energon_peers import PeerError
from benchmarks.energon_pooling_model import Model
from benchmarks.energon_pooling_rig import Rig, RigGarage
from workloads.energon.parking_plan import parked_layers
from workloads.transformer.checkpoint import open_checkpoint
from workloads.transformer.split import Span

DISTANCE = 1
_NUM_PASSES = 3
_PEER_SIZES = (
    "num_layers",
    "hidden_size",
    "num_heads",
    "num_kv_heads",
    "ffn_size",
    "vocab_size",
    "max_length",
)
_GAIN = 1.5
"""Of at most 2: the sum of computing and copying over the greater of two that are equal."""


def against_accelerate(
    sizes: Mapping[str, int], tokens: Sequence[int], num_rounds: int, folder: Path
) -> list[bool]:
    """Print both, and the bars; a missed one where accelerate cannot be had."""
    checkpoint = folder / "checkpoint"
    num_parked = _num_parked(sizes["num_layers"])
    parked = parked_layers(Span(0, sizes["num_layers"]), num_parked)
    try:
        with start_offloader(
            checkpoint, {name: sizes[name] for name in _PEER_SIZES}, tokens, parked
        ) as offloader:
            architecture, weights = open_checkpoint(checkpoint)
            rig = Rig(Model(architecture, weights, torch.device("cpu"), tokens), folder)
            with RigGarage(rig, num_parked, DISTANCE) as garage:
                return _compare(rig, garage, offloader, num_rounds)
    except PeerError as error:
        print(f"\naccelerate: {error}")
        return [judge("pooling over accelerate", float("nan"), "x", ">=", _GAIN)]


def _num_parked(num_layers: int) -> int:
    """Half of the layers stay, buffers included."""
    return num_layers // 2 + DISTANCE + 1


def _compare(rig: Rig, garage: RigGarage, offloader: Offloader, num_rounds: int) -> list[bool]:
    garage.compute_s(rig.model.forward)
    rate = (
        garage.num_parked
        * rig.bytes.layer_bytes
        / median(garage.compute_s(rig.model.forward) for _ in range(3))
    )
    met = []
    for name, bytes_per_s in ((f"paced, {rate / 1e6:.0f} MB/s", rate), ("not paced", float("inf"))):
        garage.pace(bytes_per_s)
        turns = [_turn(rig, garage, offloader, bytes_per_s) for _ in range(num_rounds)]
        own, *others = ([turn[form] for turn in turns] for form in range(len(turns[0])))
        own_s, plain_s, some_s, all_s, host_s = (median(each) for each in (own, *others))
        print(
            f"\n{name}: ours {own_s:.3f} s a pass; transformers, all resident {plain_s:.3f}; accelerate with "
            f"the same layers on the disk {some_s:.3f}, all on the disk {all_s:.3f}, cpu_offload {host_s:.3f}"
        )
        gain = median(some / mine for mine, some in zip(own, others[1], strict=True))
        if bytes_per_s == rate:
            met.append(judge(f"pooling over accelerate, {name}", gain, "x", ">=", _GAIN))
        else:
            print(f"ours over accelerate with the same layers on the disk: {gain:.2f} x")
    return [*met, _judge_logits(rig, offloader)]


def _turn(rig: Rig, garage: RigGarage, offloader: Offloader, bytes_per_s: float) -> tuple[float, ...]:
    """Seconds of a pass: ours, and each form of the peer."""
    peers = [offloader.turn(mode, bytes_per_s)[0] for mode in ("none", "some", "all", "host")]
    return (garage.parked_s(rig.model.forward, _NUM_PASSES), *peers)


def _judge_logits(rig: Rig, offloader: Offloader) -> bool:
    own = rig.model.forward(rig.resident())[0].double()
    theirs = torch.tensor(offloader.turn("some", float("inf"))[1], dtype=torch.float64)
    error = float((own - theirs).norm() / theirs.norm())
    return judge("pooling against accelerate's logits", error, "relative error, float32", "<=", 1e-5)

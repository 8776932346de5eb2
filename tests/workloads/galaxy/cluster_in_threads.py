"""The devices of a plan as threads of one process, connected by sockets; and one device alone as oracle."""

import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import combinations
from typing import TypeVar

import torch
from torch import Tensor

from workloads.galaxy.engine.arithmetic import Arithmetic, RealArithmetic
from workloads.galaxy.engine.executor import Executor
from workloads.galaxy.engine.link_pace import LinkPace
from workloads.galaxy.engine.ring import Ring
from workloads.galaxy.plan import DevicePart, ParallelPlan, Strategy, whole_share
from workloads.galaxy.profile import DeviceProfile
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.exchange import Alone
from workloads.transformer.kv_cache import SequenceCache
from workloads.transformer.layer_store import WeightSource
from workloads.transformer.layout import Layout
from workloads.transformer.loading import load_stage
from workloads.transformer.place import Place
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.split import Span, layer_stages, tensor_shares
from workloads.transformer.stage import Stage
from workloads.transformer.want import Want

T = TypeVar("T")
PATIENCE_S = 120.0
CPU64 = Place(device=torch.device("cpu"), dtype=torch.float64)


def plan_of(
    architecture: TransformerArchitecture,
    strategy: Strategy,
    speeds: Sequence[float],
    *,
    num_tiles: int = 1,
    wire: WireFormat = WireFormat.EXACT,
    direct_rows: int = 1,
    row_weights: Sequence[float] = (),
    devices: Sequence[int] = (),
) -> ParallelPlan:
    """A plan for as many devices as there are speeds."""
    num = len(speeds)
    shares = (whole_share(architecture),) * num
    if strategy in (Strategy.HYBRID, Strategy.TENSOR):
        shares = tensor_shares(architecture, num, speeds)
    layers = (Span(0, architecture.num_layers),) * num
    if strategy is Strategy.PIPELINE:
        layers = layer_stages([1.0] * architecture.num_layers, num)
    numbers, weights = devices or range(num), row_weights or (1.0,) * num
    parts = zip(numbers, shares, layers, weights, strict=True)
    return ParallelPlan(
        strategy=strategy,
        parts=tuple(
            DevicePart(device=device, share=share, layers=span, row_weight=weight)
            for device, share, span, weight in parts
        ),
        num_tiles=num_tiles,
        wire=wire,
        direct_rows=direct_rows,
    )


def connected(devices: Sequence[int], paces: Callable[[], LinkPace | None] = lambda: None) -> dict[int, Ring]:
    """A ring of each device, connected to each other."""
    ends: dict[int, dict[int, socket.socket]] = {device: {} for device in devices}
    for one, other in combinations(devices, 2):
        ends[one][other], ends[other][one] = socket.socketpair()
    rings = {}
    for device, connections in ends.items():
        pace = paces()
        rings[device] = Ring(device, connections, {} if pace is None else dict.fromkeys(connections, pace))
    return rings


@contextmanager
def executors(
    architecture: TransformerArchitecture,
    plan: ParallelPlan,
    weights: WeightSource,
    *,
    place: Place = CPU64,
    arithmetic: Callable[[], Arithmetic] = RealArithmetic,
    profile: DeviceProfile | None = None,
    paces: Callable[[], LinkPace | None] = lambda: None,
) -> Iterator[list[Executor]]:
    """The devices of a plan, in its order."""
    rings = connected(plan.devices, paces)
    try:
        yield [
            Executor(
                architecture=architecture,
                plan=plan,
                device=device,
                weights=weights,
                ring=rings[device],
                place=place,
                arithmetic=arithmetic(),
                profile=profile,
            )
            for device in plan.devices
        ]
    finally:
        in_threads([ring.close for ring in rings.values()])


def in_threads(calls: Sequence[Callable[[], T]]) -> list[T]:
    """What calls that wait for each other give."""
    with ThreadPoolExecutor(max_workers=len(calls)) as threads:
        return [future.result(PATIENCE_S) for future in [threads.submit(call) for call in calls]]


def on_all(devices: Sequence[Executor], work: Callable[[Executor], T]) -> list[T]:
    """What all devices find."""
    return in_threads([lambda each=each: work(each) for each in devices])


def answers(devices: Sequence[Executor], tokens: Tensor, layout: Layout, want: Want) -> list[Tensor | None]:
    """What each device gives."""
    return on_all(devices, lambda each: each.forward(tokens.clone(), layout, want))


def undivided(architecture: TransformerArchitecture, weights: WeightSource, place: Place = CPU64) -> Stage:
    """The whole model on one device."""
    layers = Span(0, architecture.num_layers)
    return load_stage(architecture, layers, whole_share(architecture), weights, Alone(), place)


def greedy_alone(stage: Stage, prompt: Sequence[int], num_new_tokens: int) -> list[int]:
    """The tokens that one device generates."""
    share, layers = stage.share, stage.layers
    cache = SequenceCache(stage.architecture, layers, share, stage.place, len(prompt) + num_new_tokens)
    made: list[int] = []
    rows, past = torch.tensor(prompt), 0
    with torch.inference_mode():
        for _ in range(num_new_tokens):
            layout = Layout(lengths=(len(rows),), past=(past,) if past else ())
            past += len(rows)
            rows = stage.forward(rows, layout, Want.NEXT_TOKENS, [cache])
            made += rows.tolist()
    return made


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Of all values together."""
    assert found.shape == expected.shape
    return float((found - expected).norm() / expected.norm())


class KeptWeights:
    """Weights by chance, each made once: for tests that load a model often."""

    def __init__(self, architecture: TransformerArchitecture, seed: int) -> None:
        self._made = RandomWeights(architecture, seed)
        self._kept: dict[str, Tensor] = {}

    def read(self, name: str, spans: Sequence[Span | None]) -> Tensor:
        if name not in self._kept:
            self._kept[name] = self._made.read(name, [None] * len(spans))
        return self._kept[name][
            tuple(slice(None) if span is None else slice(span.begin, span.end) for span in spans)
        ]

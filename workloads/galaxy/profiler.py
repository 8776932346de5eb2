"""How fast one device does what a layer is made of: products of few and of many rows, attention, the rest.

It takes about a second. Weights change from product to product, so that they come from memory as those of
layers do; the clock is handed in.
"""

import queue
import threading
from collections.abc import Callable

import torch
from torch.nn import functional

from workloads.galaxy.profile import NS_PER_S, DeviceProfile
from workloads.protocol import ReadClock
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.place import Place

_ROWS = (1, 4, 16, 64, 256, 1024)
_MOST_COLUMNS = 1024
"""Of the products that are timed: larger ones are hardly faster."""
_COLD_BYTES = 1 << 26
"""Weights of so many bytes are more than a processor keeps."""
_MOST_WEIGHTS = 16
_MOST_ROWS = 512
"""Of attention and of what is bound by memory."""
_FEWEST, _MOST = 3, 50
"""Times that something is timed."""
_ENOUGH_NS = 40e6
_NUM_HANDOVERS = 200
_SOON_S = 60.0


def profile_device(
    architecture: TransformerArchitecture,
    place: Place,
    clock: ReadClock,
    *,
    name: str,
    memory_bytes: int,
    num_tokens: int,
) -> DeviceProfile:
    """The device that this program runs on, for a model and requests of so many tokens.

    ``memory_bytes`` is what it may hold; it is taken as given.
    """
    with torch.inference_mode():
        call_ns = _call_ns(place, clock)
        rows = tuple(row for row in _ROWS if row <= 2 * num_tokens)
        columns = min(architecture.hidden_size, _MOST_COLUMNS)
        return DeviceProfile(
            name=name,
            product_rows=rows,
            product_rates=_product_rates(rows, columns, place, clock, call_ns),
            attention_rate=_attention_rate(architecture, place, clock, call_ns, min(num_tokens, _MOST_ROWS)),
            memory_rate=_memory_rate(architecture, place, clock, min(num_tokens, _MOST_ROWS)),
            call_ns=call_ns,
            memory_bytes=memory_bytes,
            tile_ns=_handover_ns(clock),
        )


def _product_rates(
    rows: tuple[int, ...], columns: int, place: Place, clock: ReadClock, call_ns: float
) -> tuple[float, ...]:
    """FLOP/s of [rows, columns] by [columns, columns], the costs of a call left out."""
    num_weights = max(1, min(_MOST_WEIGHTS, _COLD_BYTES // (columns * columns * place.dtype.itemsize)))
    weights = [_numbers(columns, columns, place=place) for _ in range(num_weights)]
    rates = []
    for num_rows in rows:
        entry = _numbers(num_rows, columns, place=place)
        turn = iter(range(10**9))
        took_ns = _typical_ns(
            lambda entry=entry, turn=turn: functional.linear(entry, weights[next(turn) % num_weights]),  # type: ignore[misc]
            clock,
            place,
        )
        rates.append(2.0 * num_rows * columns * columns / _above(took_ns, call_ns) * NS_PER_S)
    return tuple(rates)


def _attention_rate(
    architecture: TransformerArchitecture, place: Place, clock: ReadClock, call_ns: float, num_rows: int
) -> float:
    shape = (1, architecture.num_heads, num_rows, architecture.head_size)
    queries, keys, values = (_numbers(*shape, place=place) for _ in range(3))
    took_ns = _typical_ns(
        lambda: functional.scaled_dot_product_attention(queries, keys, values), clock, place
    )
    return 4.0 * num_rows**2 * architecture.attention_size / _above(took_ns, call_ns) * NS_PER_S


def _memory_rate(
    architecture: TransformerArchitecture, place: Place, clock: ReadClock, num_rows: int
) -> float:
    """Bytes/s of a residual sum and a norm, each operand and result once."""
    hidden, residual = (_numbers(num_rows, architecture.hidden_size, place=place) for _ in range(2))
    took_ns = _typical_ns(
        lambda: functional.layer_norm(hidden + residual, (architecture.hidden_size,)), clock, place
    )
    return 5.0 * hidden.numel() * place.dtype.itemsize / max(took_ns, 1.0) * NS_PER_S


def _call_ns(place: Place, clock: ReadClock) -> float:
    """A product with next to nothing in it."""
    entry, weight = _numbers(1, 16, place=place), _numbers(16, 16, place=place)
    return _typical_ns(lambda: functional.linear(entry, weight), clock, place)


def _handover_ns(clock: ReadClock) -> float:
    """One way from a thread to another, as of a tile from the one that receives to the one that computes."""
    there: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    back: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def answer() -> None:
        while (number := there.get()) is not None:
            back.put(number)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    took_ns = []
    for number in range(_NUM_HANDOVERS):
        begin_ns = clock()
        there.put(number)
        back.get(timeout=_SOON_S)
        took_ns.append((clock() - begin_ns) / 2)
    there.put(None)
    thread.join()
    return sorted(took_ns)[len(took_ns) // 2]


def _typical_ns(work: Callable[[], object], clock: ReadClock, place: Place) -> float:
    """Median of several times, the first one left out."""
    work()
    took_ns: list[int] = []
    while len(took_ns) < _FEWEST or (sum(took_ns) < _ENOUGH_NS and len(took_ns) < _MOST):
        _settle(place)
        begin_ns = clock()
        work()
        _settle(place)
        took_ns.append(clock() - begin_ns)
    return float(sorted(took_ns)[len(took_ns) // 2])


def _settle(place: Place) -> None:
    if place.device.type == "cuda":
        torch.cuda.synchronize(place.device)


def _above(took_ns: float, call_ns: float) -> float:
    """What is left of a time without the costs of a call, a tenth of it at least."""
    return max(took_ns - call_ns, took_ns / 10, 1.0)


def _numbers(*shape: int, place: Place) -> torch.Tensor:
    """Some numbers: what computes with them takes as long as with any other."""
    return torch.full(shape, 0.01, dtype=place.dtype, device=place.device)

"""How fast one device does what a layer is made of: products of few and of many rows, attention, the rest.

It takes two or three seconds. Weights change from product to product, so that they come from memory as
those of layers do; the clock is handed in. What is timed goes on for so long that a device with a quota of
processor time pauses as often as it will in its work.
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
_FEWEST = 3
"""Times that something is timed."""
_ENOUGH_NS = 200e6
"""Whole periods of a quota, which are 10 or 100 ms long: single calls often fall between its pauses."""
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
            tile_ns=_handover_ns(clock, place),
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
        took_ns = _mean_ns(
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
    took_ns = _mean_ns(lambda: functional.scaled_dot_product_attention(queries, keys, values), clock, place)
    return 4.0 * num_rows**2 * architecture.attention_size / _above(took_ns, call_ns) * NS_PER_S


def _memory_rate(
    architecture: TransformerArchitecture, place: Place, clock: ReadClock, num_rows: int
) -> float:
    """Bytes/s of a residual sum and a norm, each operand and result once."""
    hidden, residual = (_numbers(num_rows, architecture.hidden_size, place=place) for _ in range(2))
    took_ns = _mean_ns(
        lambda: functional.layer_norm(hidden + residual, (architecture.hidden_size,)), clock, place
    )
    return 5.0 * hidden.numel() * place.dtype.itemsize / max(took_ns, 1.0) * NS_PER_S


def _call_ns(place: Place, clock: ReadClock) -> float:
    """A product with next to nothing in it."""
    entry, weight = _numbers(1, 16, place=place), _numbers(16, 16, place=place)
    return _mean_ns(lambda: functional.linear(entry, weight), clock, place)


def _handover_ns(clock: ReadClock, place: Place) -> float:
    """One way from a thread to another, as of a tile from the one that receives to the one that computes."""
    there: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    back: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def answer() -> None:
        while (number := there.get()) is not None:
            back.put(number)

    def both_ways() -> None:
        there.put(0)
        back.get(timeout=_SOON_S)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    took_ns = _mean_ns(both_ways, clock, place)
    there.put(None)
    thread.join()
    return took_ns / 2


def _mean_ns(work: Callable[[], object], clock: ReadClock, place: Place) -> float:
    """Mean of many times one after the other, pauses included; the first one is left out."""
    work()
    _settle(place)
    begin_ns, count, took_ns = clock(), 0, 0
    while count < _FEWEST or took_ns < _ENOUGH_NS:
        work()
        _settle(place)
        count, took_ns = count + 1, clock() - begin_ns
    return took_ns / count


def _settle(place: Place) -> None:
    if place.device.type == "cuda":
        torch.cuda.synchronize(place.device)


def _above(took_ns: float, call_ns: float) -> float:
    """What is left of a time without the costs of a call, a tenth of it at least."""
    return max(took_ns - call_ns, took_ns / 10, 1.0)


def _numbers(*shape: int, place: Place) -> torch.Tensor:
    """Some numbers: what computes with them takes as long as with any other."""
    return torch.full(shape, 0.01, dtype=place.dtype, device=place.device)

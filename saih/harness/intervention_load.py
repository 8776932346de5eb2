"""Extra work of known duration: products of small matrices, traffic to main memory, tiny operations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from saih.domain.interval import median
from saih.domain.verification import Intervention
from saih.harness.clock import ReadClock

_PRICING_NS = 4_000_000
"""About how long one pricing lasts: long against the clock, short against a step's budget."""
_NUM_PRICINGS = 5
_MOST_CALLS = 1_000_000
_SIDE_ON_CPU, _SIDE_ON_ACCELERATOR = 96, 1024
"""Of the matrices: three of them stay in a second-level cache, and one product is short against a step."""
_BUFFER_ON_CPU, _BUFFER_ON_ACCELERATOR = 32 * 2**20, 256 * 2**20
"""Bytes of each of the three arrays of the triad; together beyond the caches."""
_SLICE = 2**16
"""Numbers of one call of the triad."""
_LAUNCHES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Work that can be repeated, and what one call of it took when nothing else was switched on."""

    call: Callable[[], object]
    price_ns: float

    def run(self, dose_ns: float) -> None:
        """As many calls as take ``dose_ns`` at that price; none for no dose."""
        for _ in range(round(dose_ns / self.price_ns)):
            self.call()


def priced_loads(device: str, clock: ReadClock) -> Mapping[Intervention, Load]:
    """The loads of a step on ``device``, each priced now; every rank may do it at the same time."""
    where = torch.device(device)
    calls = {
        Intervention.EXTRA_ARITHMETIC: _product(where),
        Intervention.EXTRA_TRAFFIC: _triad(where),
        Intervention.EXTRA_LAUNCHES: _launches(where),
    }
    loads = {one: Load(call=call, price_ns=price_ns(call, clock)) for one, call in calls.items()}
    return {**loads, Intervention.SLOW_RANK: loads[Intervention.EXTRA_ARITHMETIC]}


def price_ns(call: Callable[[], object], clock: ReadClock) -> float:
    """What one call takes [ns]: the median over a few runs of many calls."""
    num_calls, took_ns = 1, 0
    while took_ns < _PRICING_NS and num_calls < _MOST_CALLS:
        num_calls *= 2
        took_ns = _took_ns(call, num_calls, clock)
    return max(
        median([_took_ns(call, num_calls, clock) for _ in range(_NUM_PRICINGS)]) / num_calls,
        1.0,
    )


def _took_ns(call: Callable[[], object], num_calls: int, clock: ReadClock) -> int:
    begin_ns = clock()
    for _ in range(num_calls):
        call()
    return clock() - begin_ns


def _product(device: torch.device) -> Callable[[], object]:
    side = _SIDE_ON_CPU if device.type == "cpu" else _SIDE_ON_ACCELERATOR
    factor = torch.full((side, side), 0.5, device=device)
    out = torch.empty_like(factor)
    return lambda: torch.matmul(factor, factor, out=out)


def _triad(device: torch.device) -> Callable[[], object]:
    """The next part of a triad that goes round: what it needs is never in a cache."""
    count = (_BUFFER_ON_CPU if device.type == "cpu" else _BUFFER_ON_ACCELERATOR) // 4
    a, b, c = (torch.full((count,), value, device=device) for value in (0.0, 1.0, 2.0))
    parts = [tuple(array[begin : begin + _SLICE] for array in (a, b, c)) for begin in range(0, count, _SLICE)]
    place = 0

    def step() -> object:
        nonlocal place
        out, one, two = parts[place]
        place = (place + 1) % len(parts)
        return torch.add(one, two, alpha=3.0, out=out)

    return step


def _launches(device: torch.device) -> Callable[[], object]:
    number = torch.zeros(1, device=device)

    def step() -> object:
        for _ in range(_LAUNCHES):
            number.add_(1.0)
        return number

    return step

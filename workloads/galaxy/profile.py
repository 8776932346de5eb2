"""What is known of devices and of the links between them; arithmetic only.

A product of [rows, a] by [a, b] takes ``call_ns + 2 rows a b / rate(rows)``: few rows at a time are slower,
as the table of the device says. Bytes on a link take ``delay_ns + bytes / rate``.
"""

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log

NS_PER_S = 1e9


class Pace(StrEnum):
    """Whether a device computes, or only takes the time that it would."""

    REAL = "real"
    PACED = "paced"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProfile:
    """One device: how fast it multiplies, and what it may hold."""

    name: str
    product_rows: tuple[int, ...]
    """Rows of the products that were timed, rising."""
    product_rates: tuple[float, ...]
    """FLOP/s of each."""
    attention_rate: float
    """FLOP/s of queries by keys and weights by values."""
    memory_rate: float
    """Bytes/s of work that is bound by memory: norms, sums, activations, and reading weights for few rows."""
    call_ns: float
    """What every product costs besides."""
    memory_bytes: int
    """The most that it may hold: weights, activations and keys and values, without the programs."""
    tile_ns: float = 0.0
    """What every tile costs besides its products: cutting it out, and taking it from thread to thread."""

    def product_ns(self, rows: int, columns_in: int, columns_out: int, itemsize: int) -> float:
        """Time of one product [ns]; reading its weights is the least."""
        if not rows:
            return 0.0
        multiplied = 2.0 * rows * columns_in * columns_out / self.rate(rows)
        read = columns_in * columns_out * itemsize / self.memory_rate
        return self.call_ns + max(multiplied, read) * NS_PER_S

    def attention_ns(self, pairs: int, columns: int) -> float:
        """Time of attention [ns] of so many pairs of a query and a key, over ``columns`` of all its heads."""
        return 0.0 if not pairs else self.call_ns + 4.0 * pairs * columns / self.attention_rate * NS_PER_S

    def elementwise_ns(self, num_bytes: int) -> float:
        """Time of work that reads and writes so many bytes [ns]."""
        return num_bytes / self.memory_rate * NS_PER_S

    def rate(self, rows: int) -> float:
        """FLOP/s of a product of so many rows: between two that were timed, even on logarithmic scales."""
        known, rates = self.product_rows, self.product_rates
        place = bisect_right(known, rows)
        if place == 0:
            return rates[0] * rows / known[0]
        if place == len(known):
            return rates[-1]
        part = log(rows / known[place - 1]) / log(known[place] / known[place - 1])
        return exp(log(rates[place - 1]) * (1.0 - part) + log(rates[place]) * part)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkProfile:
    """One direction between two devices."""

    delay_ns: float
    """Time of an empty message, from one device's call to the other's."""
    rate: float
    """Bytes/s of long messages."""
    message_ns: float = 0.0
    """How long every message keeps the link busy, whatever its size."""

    def time_ns(self, num_bytes: float) -> float:
        """Time of a message [ns]."""
        return self.delay_ns + self.busy_ns(num_bytes)

    def busy_ns(self, num_bytes: float) -> float:
        """How long a message keeps the link busy, so that the next has to wait [ns]."""
        return self.message_ns + num_bytes / self.rate * NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterProfile:
    """All devices, and the links between each two of them."""

    devices: tuple[DeviceProfile, ...]
    links: tuple[tuple[LinkProfile, ...], ...]
    """``links[a][b]``: from a to b; ``links[a][a]`` says nothing."""
    pace: Pace = Pace.REAL

"""What an adaptive sweep is to reach, and how it ended."""

from dataclasses import dataclass

DEFAULT_PRECISION = 0.1
LEAST_PRECISION, MOST_PRECISION = 0.02, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an adaptive sweep is to reach."""

    precision: float = DEFAULT_PRECISION
    """Half-width of the 90 % interval of every step of the grid, relative."""
    budget_node_s: float | None = None
    """Most node-seconds of measuring; None without bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptive:
    """What was asked of the sweep in a folder, and how its choosing ended."""

    asked: Asked
    is_over: bool
    """Whether the rest of the grid was left out on purpose; False while points are chosen."""
    reason: str
    """Why it ended, in words; empty while it goes on."""

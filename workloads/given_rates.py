"""Rates that a problem gives its ranks in place of those of the machine: they wait in place of computing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenRates:
    """What ranks and their links are held to; 0 of a rate: as fast as it is."""

    flops_per_s: float = 0.0
    """Of the mean rank."""
    memory_bytes_per_s: float = 0.0
    """Of the mean rank."""
    busiest_over_mean: float = 1.0
    """How many times as long as the mean rank the busiest one works, by the plan that the ranks follow."""
    link_bytes_per_s: float = 0.0
    """Of messages from one rank to another."""
    link_delay_s: float = 0.0
    """Of every message besides."""

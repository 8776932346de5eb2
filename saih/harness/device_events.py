"""Moments on the present CUDA stream."""

import torch


def record_event() -> torch.cuda.Event:
    """The moment at which the device has done all work that is queued now."""
    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    event.record()
    return event


def elapsed_ns(begin: torch.cuda.Event, end: torch.cuda.Event) -> int:
    """From one moment to another [ns], once the device has passed both; good to about 1 us."""
    return round(begin.elapsed_time(end) * 1e6)

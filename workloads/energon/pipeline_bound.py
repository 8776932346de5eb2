"""How busy a pipeline can be at best, by simulating a queue of stages in a row; arithmetic only.

A stage works on one request after the other, in one order everywhere; the source never runs dry. With
``num_buffers`` messages that may wait between two stages, transfers go beside the computing, one after
the other on each link, and a stage goes on as soon as a buffer is free. With none, a stage is held until
the next one is free, and both are held during the transfer: a blocking pipeline.
"""

from collections.abc import Sequence

Times = Sequence[Sequence[float]]
"""Of each stage (or link between two stages) and request, in any unit; the same unit comes back."""


def completions(compute: Times, transfer: Times, num_buffers: int) -> tuple[float, ...]:
    """When each request leaves the last stage.

    Raises:
        ValueError: unless there is a link between any two stages, and a time for each request everywhere.
    """
    _check(compute, transfer, num_buffers)
    starts: list[list[float]] = [[] for _ in compute]
    leaves: list[list[float]] = [[] for _ in compute]
    arrivals: list[list[float]] = [[] for _ in transfer]
    for request in range(len(compute[0])):
        ready = 0.0
        for stage, times in enumerate(compute):
            start = max(ready, _last(leaves[stage]))
            starts[stage].append(start)
            leave = start + times[request]
            if stage < len(transfer):
                moving = transfer[stage][request]
                if num_buffers:
                    leave = max(leave, _at(starts[stage + 1], request - num_buffers))
                    ready = max(leave, _last(arrivals[stage])) + moving
                else:
                    ready = leave = max(leave, _last(leaves[stage + 1])) + moving
                arrivals[stage].append(ready)
            leaves[stage].append(leave)
    return tuple(leaves[-1])


def utilisation(compute: Times, transfer: Times, num_buffers: int) -> float:
    """The share of the time, from the first begin to the last end, in which the busiest stage computes."""
    return max(sum(times) for times in compute) / completions(compute, transfer, num_buffers)[-1]


def _check(compute: Times, transfer: Times, num_buffers: int) -> None:
    if len(transfer) != len(compute) - 1 or num_buffers < 0:
        raise ValueError(
            f"{len(compute)} stages with {len(transfer)} links and {num_buffers} buffers are no pipeline; "
            "give one link less than stages, and no negative number of buffers."
        )
    counts = {len(times) for times in (*compute, *transfer)}
    if len(counts) != 1 or not min(counts):
        raise ValueError(
            f"Stages and links have times for {sorted(counts)} requests; give one of each request."
        )


def _last(times: Sequence[float]) -> float:
    return times[-1] if times else 0.0


def _at(times: Sequence[float], index: int) -> float:
    return times[index] if index >= 0 else 0.0

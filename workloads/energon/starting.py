"""Brings the ranks of an engine up, and leaves none behind where that fails."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from workloads.energon.assignment import Assignment
from workloads.energon.controller import Controller
from workloads.energon.errors import LaunchError
from workloads.energon.launching import (
    StartedWorker,
    end_workers,
    meeting_file,
    meeting_path,
    start_workers,
)
from workloads.energon.ledger import Ledger

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long an engine is waited for [s]."""

    start_s: float
    """For all ranks to be ready."""
    request_s: float
    """For any request to end, while there are some; see ``roll_call``."""


def start_ranks(
    assignment: Assignment, ledger: Ledger, patience: Patience, program: Sequence[str]
) -> tuple[Controller, tuple[int, ...]]:
    """The controller of ranks that are ready, and their processes; each got the assignment with its number.

    Raises:
        LaunchError, WeightError, ProblemError: for ranks that did not come up.
    """
    num_ranks = assignment.plan.num_ranks
    try:
        with meeting_file() as meeting:
            workers = start_workers(num_ranks, assignment.num_threads, meeting, program)
            path, secret = meeting_path(meeting), secrets.token_hex(_SECRET_BYTES)
        told = _assignments(replace(assignment, meeting_path=path, secret=secret))
        controller = _controller(told, workers, ledger, patience.request_s)
    except OSError as error:
        raise LaunchError(f"the engine could not be started: {error}") from error
    try:
        controller.start(patience.start_s)
        controller.ready.result()
    except BaseException:
        controller.close(0.0)
        raise
    return controller, tuple(worker.process.pid for worker in workers)


def _controller(
    assignments: Sequence[Assignment],
    workers: Sequence[StartedWorker],
    ledger: Ledger,
    request_limit_s: float,
) -> Controller:
    """The controller of these workers; where it cannot be, none of them is left."""
    try:
        return Controller(assignments, workers, ledger, request_limit_s)
    except BaseException:
        end_workers(workers)
        raise


def _assignments(assignment: Assignment) -> list[Assignment]:
    """What each rank is told; ranks take GPUs in turn."""
    ranks = range(assignment.plan.num_ranks)
    if assignment.device != "cuda":
        return [replace(assignment, rank=rank) for rank in ranks]
    gpus = torch.cuda.device_count()
    return [replace(assignment, rank=rank, device=f"cuda:{rank % gpus}") for rank in ranks]

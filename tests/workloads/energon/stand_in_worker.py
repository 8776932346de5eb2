"""A worker whose rank doubles tokens, and misbehaves on demand (see ``stand_in.Ask``).

Every rank takes part in one collective for each command, and checks that all are at the same one.
"""

import os
import sys
import threading
from pathlib import Path

import torch
from torch import distributed

from tests.workloads.energon.stand_in import GATE, Ask, Start
from workloads.energon.assignment import Assignment
from workloads.energon.command import Answer, Command
from workloads.energon.worker import main
from workloads.transformer.errors import WeightError
from workloads.transport.link_error import LinkError


class StandIn:
    """Doubles the tokens."""

    def __init__(self, assignment: Assignment) -> None:
        self._rank = assignment.rank
        self._plan = assignment.plan
        self._gate = Path(os.environ.get(GATE, os.devnull)).open("rb", buffering=0)  # noqa: SIM115  # until the end
        if assignment.seed == Start.BAD_WEIGHTS and self._rank == assignment.plan.num_ranks - 1:
            raise WeightError("layer.0.mlp.up.weight holds NaN")
        if assignment.seed == Start.WITHOUT_A_WORD and self._rank == 0:
            os._exit(9)
        if assignment.seed == Start.NEVER:
            threading.Event().wait()

    def do(self, command: Command) -> Answer | None:
        """Twice the tokens."""
        what, whom = (*command.tokens.tolist(), 0)[:2]
        if self._rank == whom:
            self._misbehave(what)
        self._meet(command.key)
        if self._plan.stage_of(self._rank) < self._plan.pipeline_parallel - 1:
            return None
        if what == Ask.FAIL:
            return Answer(key=command.key, rows=None, failure="ValueError: as asked")
        return Answer(key=command.key, rows=torch.zeros(1 << 23) if what == Ask.WIDE else command.tokens * 2)

    def close(self) -> None:
        """Tell that this was reached."""
        if folder := os.environ.get("STAND_INS_CLOSED"):
            (Path(folder) / str(self._rank)).touch()

    def _misbehave(self, what: int) -> None:
        if what == Ask.HANG:
            sys.stderr.write("I hang\n")
            threading.Event().wait()
        if what == Ask.CRASH:
            raise RuntimeError("a bug of this rank")
        if what == Ask.ABORT:
            os.abort()
        if what == Ask.WAIT:
            self._gate.read(1)

    def _meet(self, key: int) -> None:
        if self._plan.num_ranks == 1:
            return
        keys = torch.tensor([key, 1])
        try:
            distributed.all_reduce(keys)
        except RuntimeError as error:
            raise LinkError(f"a rank is gone: {error}") from error
        if keys.tolist() != [key * self._plan.num_ranks, self._plan.num_ranks]:
            raise RuntimeError(f"ranks are at different commands: {keys.tolist()} at {key}")


if __name__ == "__main__":
    main(StandIn)

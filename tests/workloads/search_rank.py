"""One rank of a search, as a process: ``search_rank.py RANK NUM_RANKS FOLDER``; prints what it was told."""

import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed

from augment.problem import Problem, Shape
from tests.workloads.learning_samples import examples
from workloads.cosmoflow.search import climb, parted
from workloads.protocol import Told
from workloads.studying import Study

WIDTHS = (3, 6)
NUM_UNIVERSES = 60
BUDGET_S = 3.0


def rungs() -> tuple[Problem, ...]:
    data = Shape.of(samples=NUM_UNIVERSES, resolution=8, channels=2, universes=NUM_UNIVERSES)
    return tuple(Problem(data=data, model=Shape.of(depth=1, width=width)) for width in WIDTHS)


def main(rank: int, num_ranks: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=num_ranks,
        timeout=timedelta(seconds=60),
    )

    def gather(told: Told) -> Sequence[Told]:
        found: list[Told] = [{}] * num_ranks
        distributed.all_gather_object(found, told)
        return found

    def say(text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    study = Study(
        rank=rank,
        num_ranks=num_ranks,
        device="cpu",
        seed=1,
        data_folder=folder,
        folder=folder,
        budget_s=BUDGET_S,
        gather=gather,
        progress=say,
    )
    told = climb(rungs(), parted(examples(NUM_UNIVERSES)), study).told
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))

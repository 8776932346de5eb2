"""One stage of the pipelines that ``benchmarks.energon_pipeline`` compares: RANK STORE SPECIFICATION.

Computing is paced: a stage sleeps for as long as its rows would take. Bytes, processes and sockets are real.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed.pipelining import PipelineStage, ScheduleGPipe

from workloads.energon.command import Command
from workloads.energon.plan import EnginePlan, plan_engine
from workloads.energon.ranks import open_ranks
from workloads.energon.runner import StageRunner
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.kv_cache import SequenceCache
from workloads.transformer.layout import Layout
from workloads.transformer.place import Place
from workloads.transformer.want import Want

HIDDEN = 1024
_CPU = torch.device("cpu")
_PAUSE_S = 0.005
"""Between two messages of which each crosses an idle pipeline."""


class PacedStage:
    """Adds 1 to every hidden state, in the time that its rows take."""

    num_sums = 0
    place = Place(device=_CPU, dtype=torch.float32)

    def __init__(self, architecture: TransformerArchitecture, row_s: float) -> None:
        self.architecture = architecture
        self.compute_s: list[float] = []
        """How long each request was computed on in fact [s]."""
        self._row_s = row_s

    def forward(
        self,
        rows: Tensor,
        layout: Layout,
        want: Want,  # a stage's
        caches: Sequence[SequenceCache] | None = None,  # a stage's
    ) -> Tensor:
        """Hidden states [rows, hidden]; those of tokens are 0."""
        begin_s = time.perf_counter()
        time.sleep(layout.num_rows * self._row_s)
        made = torch.ones(rows.shape[0], HIDDEN) if rows.dim() == 1 else rows + 1
        self.compute_s.append(time.perf_counter() - begin_s)
        return made


class PacedModule(nn.Module):
    """The same for a schedule of torch."""

    def __init__(self, row_s: float) -> None:
        super().__init__()
        self._row_s = row_s

    def forward(self, rows_BSH: Tensor) -> Tensor:
        """Hidden states [1, rows, hidden]."""
        time.sleep(rows_BSH.shape[1] * self._row_s)
        return rows_BSH + 1


def main(arguments: Sequence[str]) -> None:
    """Run all rounds of all ways; the last rank prints what they took as one line of JSON."""
    warnings.filterwarnings("ignore")  # of torch, about its own pipelining
    torch.set_num_threads(1)
    rank, asked = int(arguments[0]), json.loads(arguments[2])
    num_stages = asked["num_stages"]
    distributed.init_process_group(
        "gloo", init_method=f"file://{arguments[1]}", rank=rank, world_size=num_stages
    )
    plan = plan_engine(_architecture(num_stages), pipeline_parallel=num_stages)
    plan = replace(plan, num_buffers=asked["num_buffers"])
    taken: dict[str, Any] = {"hop_s": _hop_s(plan, rank, asked["num_hops"]), "rounds": []}
    for _ in range(asked["num_rounds"]):
        taken["rounds"].append(
            {mix: _ways_s(plan, rank, lengths, asked["row_s"]) for mix, lengths in asked["mixes"].items()}
        )
    if rank == num_stages - 1:
        print(json.dumps(taken), flush=True)
    distributed.destroy_process_group()


def _ways_s(plan: EnginePlan, rank: int, lengths: Sequence[int], row_s: float) -> Mapping[str, Any]:
    """For requests of these lengths: how long each way takes, and each stage for each request of it [s]."""
    blocking = replace(plan, is_blocking=True)
    return {
        "non-blocking": _engine_s(plan, rank, lengths, row_s),
        "blocking": _engine_s(blocking, rank, lengths, row_s),
        "torch": {"taken_s": _torch_s(plan, rank, lengths, row_s)},
    }


def _engine_s(plan: EnginePlan, rank: int, lengths: Sequence[int], row_s: float) -> Mapping[str, Any]:
    ranks = open_ranks(plan, rank)
    stage = PacedStage(_architecture(plan.pipeline_parallel), row_s)
    runner = StageRunner(stage, ranks)
    commands = [_command(key, length) for key, length in enumerate(lengths)]

    def run() -> None:
        for command in commands:
            answer = runner.do(command)
            if answer is not None:
                _check(answer.rows, (command.layout.num_rows, HIDDEN), plan.pipeline_parallel)

    taken_s = _taken_s(run)
    runner.close()
    compute_s = _of_all(torch.tensor(stage.compute_s, dtype=torch.float64))
    return {"taken_s": taken_s, "compute_s": [each.tolist() for each in compute_s]}


def _torch_s(plan: EnginePlan, rank: int, lengths: Sequence[int], row_s: float) -> float:
    """GPipe of torch takes one shape only: every request is padded to the longest."""
    num_stages, longest = plan.pipeline_parallel, max(lengths)
    example = torch.zeros(1, longest, HIDDEN)
    stage = PipelineStage(
        PacedModule(row_s), rank, num_stages, _CPU, input_args=(example,), output_args=(example,)
    )
    schedule = ScheduleGPipe(stage, n_microbatches=len(lengths))
    inputs = (torch.zeros(len(lengths), longest, HIDDEN),) if rank == 0 else ()

    def run() -> None:
        with torch.no_grad():
            made = schedule.eval(*inputs)
        if rank == num_stages - 1:
            _check(made, (len(lengths), longest, HIDDEN), num_stages)

    return _taken_s(run)


def _hop_s(plan: EnginePlan, rank: int, num_hops: int) -> list[float]:
    """What one row needs from one stage to the next, where nobody computes and nothing waits [s]."""
    ranks = open_ranks(plan, rank)
    runner = StageRunner(PacedStage(_architecture(plan.pipeline_parallel), 0.0), ranks)
    ends_s = []
    for key in range(num_hops):
        if rank == 0:
            time.sleep(_PAUSE_S)
            ends_s.append(time.perf_counter())
        runner.do(_command(key, 1))
        if rank == plan.pipeline_parallel - 1:
            ends_s.append(time.perf_counter())
    runner.close()
    times = _of_all(torch.tensor(ends_s or [0.0] * num_hops, dtype=torch.float64))
    return ((times[-1] - times[0]) / (plan.pipeline_parallel - 1)).tolist()


def _taken_s(run: Callable[[], None]) -> float:
    """From the first begin to the last end on any rank; the clock is the same for all of a machine."""
    distributed.barrier()
    begin_s = time.perf_counter()
    run()
    times = _of_all(torch.tensor([begin_s, time.perf_counter()], dtype=torch.float64))
    return max(float(time[1]) for time in times) - min(float(time[0]) for time in times)


def _of_all(own: Tensor) -> list[Tensor]:
    group = distributed.group.WORLD
    if group is None:
        raise RuntimeError("torch.distributed made no default process group")
    of_all = [torch.empty_like(own) for _ in range(group.size())]
    distributed.all_gather(of_all, own)
    return of_all


def _command(key: int, length: int) -> Command:
    tokens = torch.zeros(length, dtype=torch.int64)
    return Command(key=key, layout=Layout(lengths=(length,)), tokens=tokens, want=Want.ALL_ROWS)


def _check(rows: Tensor | None, shape: tuple[int, ...], num_stages: int) -> None:
    """Every stage has seen every row."""
    if rows is None or rows.shape != shape or not bool((rows == num_stages).all()):
        raise RuntimeError(f"a pipeline gave {None if rows is None else rows.shape}, or wrong values")


def _architecture(num_stages: int) -> TransformerArchitecture:
    return TransformerArchitecture(
        family=Family.GPT2,
        num_layers=num_stages,
        hidden_size=HIDDEN,
        num_heads=8,
        num_kv_heads=8,
        head_size=HIDDEN // 8,
        ffn_size=4 * HIDDEN,
        vocab_size=64,
        max_length=1024,
        activation=Activation.GELU,
        norm_epsilon=1e-5,
    )


if __name__ == "__main__":
    main(sys.argv[1:])

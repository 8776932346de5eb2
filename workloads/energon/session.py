"""Energon in a job: every rank runs the same passes in the same order, without a controller."""

import random
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from augment.problem import Problem
from workloads.energon.assignment import Assignment
from workloads.energon.command import Answer, Command
from workloads.energon.cost import engine_plan
from workloads.energon.feedback import Feedback, joined_moments
from workloads.energon.latency import StepMoments, StepTokens, latency_notes, told_of
from workloads.energon.loading import load_rank
from workloads.energon.memory import kept_values
from workloads.energon.meter import Activity
from workloads.energon.passes import decode_layout, prompt_layouts
from workloads.energon.plan import EnginePlan
from workloads.energon.rank_errors import PassError
from workloads.energon.ranks import Carrier
from workloads.energon.shapes import EnergonShape
from workloads.means import ALONE, Means
from workloads.precision import SERVING, Precision
from workloads.protocol import Mark, PhaseName, Progress, Session, Surroundings, Told
from workloads.transformer.layout import Layout
from workloads.transformer.want import Want

TEST_PRECISION = "float64"
"""Outside the product's formats: shows that N ranks equal one, to the last digits."""
_PHASES: Mapping[Activity, PhaseName] = {
    "compute": "forward",
    "communication": "communication",
    "wait": "stage_wait",
}
_MOST_STEPS = 10_000
"""Steps of which moments are kept."""
_CACHE_ROOM = 2
"""Times the bytes of keys and values: while they grow, the old ones stay until they are copied."""

Batch = tuple[Tensor, ...]
"""Token ids [rows] (int64) of the prompt of each pass, padding included."""


class EnergonJob:
    """The side of energon that runs inside the job."""

    def generate(
        self,
        problem: Problem,
        data_folder: Path,
        rank: int,
        num_ranks: int,
        progress: Progress,
        means: Means = ALONE,
    ) -> None:
        """Nothing is stored: token ids are drawn when they are needed."""

    def seal(self, problem: Problem, data_folder: Path) -> None:
        """Nothing is stored."""

    def prepare(self, problem: Problem, surroundings: Surroundings) -> Session[Any]:
        """Join the ranks of this replica, and load this rank's part of the model with random weights.

        Raises:
            ProblemError: for a precision that is not known, or a model that cannot be divided so.
        """
        return InferenceSession(EnergonShape.from_problem(problem), surroundings)

    def notes(self, told: Sequence[Told]) -> Mapping[str, str]:
        """Percentiles of latencies over all replicas, and the sums of their rates."""
        return latency_notes(told)


class InferenceSession:
    """Forward passes of one replica on one of its ranks."""

    def __init__(self, shape: EnergonShape, surroundings: Surroundings) -> None:
        self._shape = shape
        self._plan = plan = engine_plan(shape, surroundings.degrees)
        self._replica, self._rank = divmod(surroundings.rank, plan.num_ranks)
        self._seed = surroundings.seed
        self._clock = surroundings.clock
        self._layouts = prompt_layouts(shape, surroundings.batch_per_rank)
        self._mark: Mark = _unmarked
        self._key = 0
        self._generated: deque[Tensor] = deque()
        self._current = _Step()
        self._moments: deque[StepMoments] = deque(maxlen=_MOST_STEPS)
        self._feedback: Feedback | None = None
        with ExitStack() as opening:
            folder = opening.enter_context(_parking_folder(shape, surroundings.data_folder))
            if plan.num_ranks > 1:
                surroundings.connect()
            # A rank that is alone speaks with nobody: all its work is one part.
            meter = self._metered if plan.num_ranks > 1 else None
            loaded = load_rank(_assignment(shape, plan, surroundings, folder), meter)
            opening.callback(loaded.close)
            self._runner = loaded.runner
            if plan.pipeline_parallel > 1:
                self._feedback = Feedback(plan, self._rank)
                opening.callback(self._feedback.close)
            self._owned = opening.pop_all()

    def produce(self, step: int) -> Batch:
        """Draw the tokens of every prompt of a step; ranks that do not read them get zeros."""
        if self._plan.stage_of(self._rank) > 0:
            return tuple(torch.zeros(layout.num_rows, dtype=torch.int64) for layout in self._layouts)
        # The stream of random() is promised for a seed; ranks of one replica draw the same.
        seed = random.Random(f"{self._seed} {self._replica} {step}").getrandbits(63)  # noqa: S311
        generator = torch.Generator().manual_seed(seed)
        high = self._shape.architecture.vocab_size
        return tuple(torch.randint(high, (layout.num_rows,), generator=generator) for layout in self._layouts)

    def step(self, batch: Batch, mark: Mark) -> float:
        """All passes of a step; gives the mean of what the model answered.

        Only ranks of the last stage know it. They give it times the number of stages and others give 0, so
        that the mean over ranks is that of the answers.

        Raises:
            PassError: when a pass failed, on the ranks of the last stage.
        """
        self._mark, self._current = mark, _Step()
        num_new = self._shape.num_new_tokens
        for place, (layout, tokens) in enumerate(zip(self._layouts, batch, strict=True)):
            self._pass(place, layout, tokens, is_last=num_new == 0)
        for num_decoded in range(num_new):
            for place, prompt in enumerate(self._layouts):
                layout, tokens = decode_layout(prompt, num_decoded), self._new_tokens(prompt)
                self._pass(place, layout, tokens, is_last=num_decoded == num_new - 1)
        if self._feedback is not None:
            self._feedback.settle()
        current = self._current
        self._moments.append(StepMoments(begins_ns=current.begins_ns, answers_ns=current.answers_ns))
        return current.total / len(current.begins_ns) * self._plan.pipeline_parallel

    def tell(self, num_steps: int) -> Told:
        """Latencies and rates of the last steps of its replica, on the first rank of each."""
        steps: Sequence[StepMoments] = tuple(self._moments)[-num_steps:]
        if self._feedback is not None:
            steps = joined_moments(self._feedback, steps, self._clock)
        if self._rank != 0:
            return {}
        real = sum(sum(layout.lengths) for layout in self._layouts)
        new = self._shape.num_new_tokens * sum(layout.num_sequences for layout in self._layouts)
        tokens = StepTokens(
            num_prompt_passes=len(self._layouts), num_real_tokens=real + new, num_new_tokens=new
        )
        return told_of(steps, tokens)

    def close(self) -> None:
        """Part from the other ranks and release memory."""
        self._owned.close()

    def _pass(self, place: int, layout: Layout, tokens: Tensor, *, is_last: bool) -> None:
        """One pass of the sequences at this place of the step; ``is_last``: no token is added behind it."""
        self._current.begins_ns.append(self._clock())
        ids = self._ids(place, layout)
        command = Command(
            key=self._key,
            layout=layout,
            tokens=tokens,
            want=Want.LAST_ROWS,
            sequence_ids=ids,
            released_ids=() if layout.past else ids,
        )
        self._key += 1
        answer = self._runner.do(command)
        if answer is not None:
            self._take_answer(answer, is_last=is_last)
        self._mark("forward")

    def _ids(self, place: int, layout: Layout) -> tuple[int, ...]:
        """Names under which keys and values are kept until the next step takes them for its sequences."""
        if not self._shape.num_new_tokens:
            return ()
        return tuple(range(place * layout.num_sequences, (place + 1) * layout.num_sequences))

    def _take_answer(self, answer: Answer, *, is_last: bool) -> None:
        if answer.rows is None:
            raise PassError(answer.failure)
        self._current.answers_ns.append(self._clock())
        self._current.total += float(answer.rows.mean(dtype=torch.float64))
        if is_last:
            return
        tokens = answer.rows.argmax(dim=-1)
        if self._feedback is None:
            self._generated.append(tokens)
        else:
            self._feedback.give(tokens)

    def _new_tokens(self, prompt: Layout) -> Tensor:
        """The next token of each sequence of a pass; ranks that do not read them get zeros."""
        if self._feedback is None:
            return self._generated.popleft()
        if not self._feedback.is_first:
            return torch.zeros(prompt.num_sequences, dtype=torch.int64)
        tokens = self._feedback.take(prompt.num_sequences)
        self._mark("stage_wait")
        return tokens

    def _metered(self, activity: Activity) -> None:
        self._mark(_PHASES[activity])


@dataclass(slots=True)
class _Step:
    """What a rank saw of a step so far."""

    begins_ns: list[int] = field(default_factory=list)
    answers_ns: list[int] = field(default_factory=list)
    total: float = 0.0
    """Sum over its passes of the mean answer of each."""


def _assignment(shape: EnergonShape, plan: EnginePlan, surroundings: Surroundings, folder: str) -> Assignment:
    if surroundings.precision != TEST_PRECISION:
        Precision.named(surroundings.precision, SERVING)
    rank = surroundings.rank % plan.num_ranks
    dtype: torch.dtype = getattr(torch, surroundings.precision)
    kept = kept_values(shape, plan, rank, surroundings.batch_per_rank) * dtype.itemsize
    return Assignment(
        rank=rank,
        architecture=shape.architecture,
        plan=plan,
        checkpoint="",
        seed=surroundings.seed,
        device=surroundings.device,
        dtype=surroundings.precision,
        num_threads=torch.get_num_threads(),
        cache_bytes=_CACHE_ROOM * kept,
        folder=folder,
        carrier=Carrier.NCCL if surroundings.device.startswith("cuda") else Carrier.HOST,
    )


@contextmanager
def _parking_folder(shape: EnergonShape, data_folder: Path) -> Iterator[str]:
    """A folder for parked layers that is gone at the end; none where none are parked."""
    if not shape.num_parked:
        yield ""
        return
    data_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="parked-", dir=data_folder) as folder:
        yield folder


def _unmarked(phase: PhaseName) -> None:
    """Between steps nobody measures."""

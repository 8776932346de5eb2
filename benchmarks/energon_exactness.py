"""Whether every plan of the engine gives what transformers gives, in float64, and the same greedy tokens.

Every model x {1, 2, 3, 4 ranks} x {TP, PP, TP x PP} x {padded, packed} x {parked, resident}: an engine of
real processes each, logits of all tokens (of the encoder: hidden states) of prompts of unequal lengths
against transformers, which computes each prompt alone. An error is the largest difference over the largest
value. Heads, columns, layers and vocabulary divide by none of the ranks but one.

    python -m benchmarks.energon_exactness [--quick]
"""

import argparse
import itertools
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.bars import judge
from benchmarks.energon_models import Sizes, random_prompts, reference_model, reference_rows, write_checkpoint
from workloads.energon.engine import launch
from workloads.energon.generation import Generator
from workloads.transformer.architecture import Family
from workloads.transformer.want import Want

LIMIT = 1e-9
DEGREES = ((1, 1), (2, 1), (3, 1), (4, 1), (1, 2), (1, 3), (1, 4), (2, 2))
"""Tensor parallel and pipeline parallel."""
LENGTHS = (7, 1, 19, 12)
NUM_NEW_TOKENS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One engine."""

    family: Family
    tensor_parallel: int
    pipeline_parallel: int
    is_packed: bool
    is_parked: bool


def main(arguments: Sequence[str]) -> int:
    """Print the table and the bars; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="each plan once a model, not with every technique"
    )
    cases = tuple(_cases(is_quick=parser.parse_args(arguments).quick))
    torch.set_num_threads(1)
    print(
        f"largest relative error, float64\n{'model':7} {'TP':>2} {'PP':>2} {'rows':>7} {'layers':>9} "
        f"{'error':>10} {'greedy':>7}"
    )
    errors: list[float] = []
    num_same = num_asked = 0
    with tempfile.TemporaryDirectory(prefix="saih-energon-") as name:
        for family, own in itertools.groupby(cases, lambda case: case.family):
            path = write_checkpoint(_sizes(family), Path(name) / family)
            model = reference_model(path, family, torch.float64)
            for case in own:
                error, same, asked = _run(case, path, model)
                errors.append(error)
                num_same, num_asked = num_same + same, num_asked + asked
    print(
        f"{len(errors)} engines; {num_same} of {num_asked} greedy continuations are token for token the same"
    )
    met = [
        judge(f"largest error of {len(errors)} engines", 1e15 * max(errors), "x 1e-15", "<", 1e15 * LIMIT),
        judge("greedy continuations that differ", num_asked - num_same, "continuations", "<=", 0),
    ]
    return 0 if all(met) else 1


def _cases(*, is_quick: bool) -> Iterator[Case]:
    for family in Family:
        for number, (tensor, pipeline) in enumerate(DEGREES):
            for turn, (is_packed, is_parked) in enumerate(itertools.product((True, False), repeat=2)):
                if not is_quick or turn == (number + list(Family).index(family)) % 4:
                    yield Case(
                        family=family,
                        tensor_parallel=tensor,
                        pipeline_parallel=pipeline,
                        is_packed=is_packed,
                        is_parked=is_parked,
                    )


def _run(case: Case, path: Path, model: Any) -> tuple[float, int, int]:  # Any: a model of transformers
    """The error of one engine, and how many of how many greedy continuations are the same."""
    prompts = random_prompts(LENGTHS, model.config.vocab_size)
    with launch(
        path,
        tensor_parallel=case.tensor_parallel,
        pipeline_parallel=case.pipeline_parallel,
        dtype="float64",
        is_packed=case.is_packed,
        num_parked=1 if case.is_parked else 0,
        threads_per_rank=1,
    ) as engine:
        error = _error(engine.submit(prompts, want=Want.ALL_ROWS).result(), reference_rows(model, prompts))
        same = asked = 0
        if case.family is not Family.BERT:
            expected = [_greedy(model, prompt) for prompt in prompts]
            with closing(Generator(engine)) as generator:
                futures = [generator.generate(prompt, max_new_tokens=NUM_NEW_TOKENS) for prompt in prompts]
                found = [list(future.result().tokens) for future in futures]
            same = sum(own == other for own, other in zip(found, expected, strict=True))
            asked = len(prompts)
    rows, layers = "packed" if case.is_packed else "padded", "parked" if case.is_parked else "resident"
    print(
        f"{case.family:7} {case.tensor_parallel:2} {case.pipeline_parallel:2} {rows:>7} {layers:>9} "
        f"{error:10.1e} {f'{same}/{asked}' if asked else '-':>7}",
        flush=True,
    )
    return error, same, asked


def _error(found: Tensor, expected: Tensor) -> float:
    if found.shape != expected.shape:
        return float("inf")
    return float((found - expected).abs().max() / expected.abs().max())


@torch.inference_mode()
def _greedy(model: Any, prompt: Sequence[int]) -> list[int]:  # Any: as above
    asked = torch.tensor([list(prompt)])
    made = model.generate(
        asked,
        attention_mask=torch.ones_like(asked),
        max_new_tokens=NUM_NEW_TOKENS,
        min_new_tokens=NUM_NEW_TOKENS,
        do_sample=False,
        pad_token_id=0,
    )
    return made[0, len(prompt) :].tolist()


def _sizes(family: Family) -> Sizes:
    return Sizes(
        family=family,
        num_layers=5,
        hidden_size=40,
        num_heads=10 if family is Family.LLAMA else 5,
        num_kv_heads=5,
        ffn_size=91,
        vocab_size=211,
        max_length=64,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The same results on a GPU, where other kernels compute them."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.workloads.transformer.group_in_threads import model_of
from workloads.transformer.architecture import Family
from workloads.transformer.checkpoint import open_checkpoint
from workloads.transformer.layout import Layout
from workloads.transformer.place import Place
from workloads.transformer.want import Want

pytestmark = [
    pytest.mark.slow,
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is found"),
]

LENGTHS = (5, 1, 17, 17, 8)
GPU = torch.device("cuda", 0)
WIDER = {Family.LLAMA: {"hidden_size": 64}}
"""Heads of 8 columns, as those of the others: flash attention takes no fewer."""


@pytest.fixture(scope="module")
def library() -> Any:
    from tests.workloads.transformer import reference_models  # noqa: PLC0415  # collecting stays fast

    return reference_models


@pytest.mark.parametrize("family", list(Family))
def test_a_gpu_in_float64_gives_what_transformers_gives(library: Any, tmp_path: Path, family: Family) -> None:
    reference = library.reference_model(family)
    architecture, weights = open_checkpoint(library.written(reference, tmp_path))
    prompts = library.prompts_of(LENGTHS, architecture.vocab_size)
    model = model_of(architecture, weights, place=Place(device=GPU, dtype=torch.float64))
    found = model.forward(torch.cat(prompts).to(GPU), Layout(lengths=LENGTHS))
    limit = 1e-5 if family is Family.LLAMA else 1e-9  # Llama's norms and angles are float32
    assert library.relative_error(found.cpu(), library.reference_rows(reference, prompts)) < limit


@pytest.mark.parametrize("family", list(Family))
def test_a_gpu_in_bfloat16_is_as_near_to_the_truth_as_transformers(
    library: Any, tmp_path: Path, family: Family
) -> None:
    reference = library.reference_model(family, **WIDER.get(family, {}))
    architecture, weights = open_checkpoint(library.written(reference, tmp_path))
    prompts = library.prompts_of(LENGTHS, architecture.vocab_size)
    truth = library.reference_rows(reference, prompts)
    model = model_of(architecture, weights, place=Place(device=GPU, dtype=torch.bfloat16))
    tokens = torch.cat(prompts).to(GPU)
    found = [model.forward(tokens, Layout(lengths=LENGTHS)).cpu()]
    if architecture.is_decoder:  # again, with all but the first token of long sequences behind a past
        ids, heads = (0, 2, 3, 4), [prompts[number][:1] for number in (0, 2, 3, 4)]
        first = model.forward(torch.cat(heads).to(GPU), Layout(lengths=(1,) * 4), Want.ALL_ROWS, ids)
        tails = [prompts[0][1:], prompts[1], *(prompt[1:] for prompt in prompts[2:])]
        layout = Layout(lengths=tuple(map(len, tails)), past=(1, 0, 1, 1, 1))
        rest = model.forward(torch.cat(tails).to(GPU), layout, Want.ALL_ROWS, (0, 1, 2, 3, 4))
        heads_rows, tail_rows = first.cpu().split(1), rest.cpu().split(layout.lengths)
        found.append(
            torch.cat(
                [heads_rows[0], tail_rows[0], tail_rows[1]]
                + [part for number in (2, 3, 4) for part in (heads_rows[number - 1], tail_rows[number])]
            )
        )
    halved = library.half_precision(reference).to(GPU)
    theirs = library.reference_rows(halved, [prompt.to(GPU) for prompt in prompts]).cpu().double() - truth
    for rows in found:
        ours = rows.double() - truth
        assert ours.square().mean() < 1.5**2 * theirs.square().mean()

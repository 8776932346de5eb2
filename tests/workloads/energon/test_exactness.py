"""Any Transformer, cut in any way, gives what transformers gives: random shapes, lengths, heads and plans.

Ranks of a tensor-parallel group are threads of this process, stages come one after the other: what is
tested is the cutting and the arithmetic of every rank. Few plans also run as real processes.
"""

import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from workloads.energon.engine import launch
from workloads.transformer.architecture import Family, TransformerArchitecture
from workloads.transformer.checkpoint import open_checkpoint
from workloads.transformer.exchange import Alone, TensorExchange
from workloads.transformer.layer_store import WeightSource
from workloads.transformer.layout import Layout
from workloads.transformer.loading import load_stage
from workloads.transformer.place import Place
from workloads.transformer.split import layer_stages, tensor_shares
from workloads.transformer.stage import Stage
from workloads.transformer.want import Want

LIMIT = 1e-9
CPU64 = Place(device=torch.device("cpu"), dtype=torch.float64)
PATIENCE_S = 60.0
FEW = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One drawn case: the words of a configuration, a plan, and prompts."""

    family: Family
    words: dict[str, int]
    tensor_parallel: int
    pipeline_parallel: int
    lengths: tuple[int, ...]
    extra_padding: int
    seed: int


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    family = draw(st.sampled_from(list(Family)))
    kv_heads, head_size = draw(st.integers(1, 5)), 2 * draw(st.integers(1, 4))
    group = draw(st.integers(1, 3)) if family is Family.LLAMA else 1
    words = {
        "layers": draw(st.integers(1, 4)),
        "kv_heads": kv_heads,
        "heads": kv_heads * group,
        "hidden": kv_heads * group * head_size,
        "ffn": draw(st.integers(5, 37)),
        "vocabulary": draw(st.integers(5, 43)),
        "length": draw(st.integers(8, 24)),
    }
    return Asked(
        family=family,
        words=words,
        tensor_parallel=draw(st.integers(1, kv_heads)),
        pipeline_parallel=draw(st.integers(1, words["layers"])),
        lengths=tuple(draw(st.lists(st.integers(1, words["length"]), min_size=1, max_size=4))),
        extra_padding=draw(st.integers(0, 3)),
        seed=draw(st.integers(0, 2**16)),
    )


class Shared:
    """The exchange of one of several threads that play the ranks of a group."""

    def __init__(self, rank: int, parts: list[Tensor | None], barrier: threading.Barrier) -> None:
        self._rank, self._parts, self._barrier = rank, parts, barrier

    def sum(self, part: Tensor) -> Tensor:
        return torch.stack(self._meet(part)).sum(dim=0)

    def gather(self, part: Tensor, columns: Sequence[int]) -> Tensor:
        parts = self._meet(part)
        assert [one.shape[-1] for one in parts] == list(columns)
        return torch.cat(parts, dim=-1)

    def _meet(self, part: Tensor) -> list[Tensor]:
        self._parts[self._rank] = part
        self._barrier.wait(PATIENCE_S)
        parts = [one.clone() for one in self._parts if one is not None]
        self._barrier.wait(PATIENCE_S)
        return parts


def exchanges(num_ranks: int) -> list[TensorExchange]:
    if num_ranks == 1:
        return [Alone()]
    parts: list[Tensor | None] = [None] * num_ranks
    barrier = threading.Barrier(num_ranks)
    return [Shared(rank, parts, barrier) for rank in range(num_ranks)]


def load(
    architecture: TransformerArchitecture, weights: WeightSource, tensor_parallel: int, pipeline_parallel: int
) -> list[list[Stage]]:
    """The stages of a plan, each with the ranks of its group."""
    shares = tensor_shares(architecture, tensor_parallel)
    return [
        [
            load_stage(architecture, layers, share, weights, exchange, CPU64)
            for share, exchange in zip(shares, exchanges(tensor_parallel), strict=True)
        ]
        for layers in layer_stages([1.0] * architecture.num_layers, pipeline_parallel)
    ]


def forward(stages: list[list[Stage]], tokens: Tensor, layout: Layout, want: Want) -> Tensor:
    rows = tokens
    for group in stages:
        ranks = in_threads(
            [lambda stage=stage, rows=rows: stage.forward(rows, layout, want) for stage in group]
        )
        assert all(torch.equal(one, ranks[0]) for one in ranks)
        rows = ranks[0]
    return rows


def in_threads(calls: list[Callable[[], Tensor]]) -> list[Tensor]:
    found: list[Tensor | BaseException | None] = [None] * len(calls)

    def run(index: int) -> None:
        try:
            with torch.inference_mode():
                found[index] = calls[index]()
        except BaseException as error:  # it is raised in the thread of the test
            found[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return [one for one in found if isinstance(one, Tensor)]


def write_model(case: Asked, folder: Path) -> Any:
    """A checkpoint of random weights, biases and norms included, and the model of transformers in float64."""
    common = {
        "num_hidden_layers": case.words["layers"],
        "hidden_size": case.words["hidden"],
        "num_attention_heads": case.words["heads"],
        "max_position_embeddings": case.words["length"],
        "vocab_size": case.words["vocabulary"],
    }
    ffn = case.words["ffn"]
    if case.family is Family.GPT2:
        config = transformers.GPT2Config(
            n_layer=case.words["layers"],
            n_embd=case.words["hidden"],
            n_head=case.words["heads"],
            n_inner=ffn,
            n_positions=case.words["length"],
            vocab_size=case.words["vocabulary"],
            bos_token_id=0,
            eos_token_id=0,
        )
        model: Any = transformers.GPT2LMHeadModel(config)
    elif case.family is Family.OPT:
        config = transformers.OPTConfig(ffn_dim=ffn, word_embed_proj_dim=case.words["hidden"], **common)
        model = transformers.OPTForCausalLM(config)
    elif case.family is Family.LLAMA:
        config = transformers.LlamaConfig(
            intermediate_size=ffn, num_key_value_heads=case.words["kv_heads"], **common
        )
        model = transformers.LlamaForCausalLM(config)
    else:
        config = transformers.BertConfig(intermediate_size=ffn, **common)
        model = transformers.BertModel(config, add_pooling_layer=False)
    generator = torch.Generator().manual_seed(case.seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn(weight.shape, generator=generator))
    model.save_pretrained(folder)
    return model.double().eval()


def prompts_of(case: Asked) -> list[Tensor]:
    generator = torch.Generator().manual_seed(case.seed + 1)
    return [
        torch.randint(0, case.words["vocabulary"], (length,), generator=generator) for length in case.lengths
    ]


@torch.inference_mode()
def expected_rows(model: Any, prompts: Sequence[Tensor]) -> Tensor:
    """[rows, columns]: each prompt alone, as transformers computes it."""
    outputs = [model(prompt[None]) for prompt in prompts]
    return torch.cat([(one.logits if "logits" in one else one.last_hidden_state)[0] for one in outputs])


def relative_error(found: Tensor, expected: Tensor) -> float:
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


def padded_tokens(prompts: Sequence[Tensor], padded_to: int) -> Tensor:
    return torch.cat([torch.nn.functional.pad(prompt, (0, padded_to - len(prompt))) for prompt in prompts])


@pytest.mark.slow
@FEW
@given(case=asked())
def test_any_model_cut_in_any_way_gives_what_transformers_gives_packed_and_padded(case: Asked) -> None:
    with tempfile.TemporaryDirectory() as name:
        model = write_model(case, Path(name))
        architecture, weights = open_checkpoint(Path(name))
        stages = load(architecture, weights, case.tensor_parallel, case.pipeline_parallel)
    prompts = prompts_of(case)
    expected = expected_rows(model, prompts)
    packed = forward(stages, torch.cat(prompts), Layout(lengths=case.lengths), Want.ALL_ROWS)
    assert relative_error(packed, expected) < LIMIT
    longest = max(case.lengths)
    for padded_to in {longest, min(longest + case.extra_padding, case.words["length"])}:
        layout = Layout(lengths=case.lengths, padded_to=padded_to)
        padded = forward(stages, padded_tokens(prompts, padded_to), layout, Want.ALL_ROWS)
        assert relative_error(padded, expected) < LIMIT


@FEW
@given(case=asked(), order=st.randoms(use_true_random=False))
def test_what_else_is_in_a_batch_changes_nothing_for_a_sequence(case: Asked, order: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        write_model(case, Path(name))
        architecture, weights = open_checkpoint(Path(name))
        stages = load(architecture, weights, case.tensor_parallel, case.pipeline_parallel)
    prompts = prompts_of(case)
    together = forward(stages, torch.cat(prompts), Layout(lengths=case.lengths), Want.LAST_ROWS)
    numbers = list(range(len(prompts)))
    order.shuffle(numbers)
    shuffled = Layout(lengths=tuple(case.lengths[number] for number in numbers))
    other = forward(stages, torch.cat([prompts[number] for number in numbers]), shuffled, Want.LAST_ROWS)
    assert relative_error(other, together[numbers]) < LIMIT
    for number, prompt in enumerate(prompts):
        alone = forward(stages, prompt, Layout(lengths=(len(prompt),)), Want.LAST_ROWS)
        assert relative_error(alone[0], together[number]) < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "tensor_parallel", "pipeline_parallel", "is_packed", "num_parked"),
    [
        (Family.LLAMA, 2, 2, True, 1),
        (Family.GPT2, 3, 1, False, 0),
        (Family.BERT, 1, 3, True, 0),
        (Family.OPT, 2, 1, True, 2),
    ],
)
def test_engines_of_real_processes_give_what_transformers_gives(  # one process a rank
    tmp_path: Path,
    family: Family,
    tensor_parallel: int,
    pipeline_parallel: int,
    is_packed: bool,  # noqa: FBT001  # a parameter of the test
    num_parked: int,
) -> None:
    words = {
        "layers": 4,
        "kv_heads": 3,
        "heads": 6 if family is Family.LLAMA else 3,
        "hidden": 24,
        "ffn": 29,
        "vocabulary": 41,
        "length": 32,
    }
    case = Asked(
        family=family,
        words=words,
        tensor_parallel=tensor_parallel,
        pipeline_parallel=pipeline_parallel,
        lengths=(9, 1, 30, 4),
        extra_padding=0,
        seed=3,
    )
    model = write_model(case, tmp_path)
    prompts = prompts_of(case)
    with launch(
        tmp_path,
        tensor_parallel=tensor_parallel,
        pipeline_parallel=pipeline_parallel,
        dtype="float64",
        is_packed=is_packed,
        num_parked=num_parked,
        threads_per_rank=1,
    ) as engine:
        rows = engine.submit([prompt.tolist() for prompt in prompts], want=Want.ALL_ROWS).result()
    assert relative_error(rows, expected_rows(model, prompts)) < LIMIT

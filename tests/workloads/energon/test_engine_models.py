"""Engines of real models over several ranks: the answers of one device, from a checkpoint or from a seed."""

from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from tests.workloads.energon.stand_in import PATIENCE_S
from workloads.energon.engine import launch
from workloads.energon.errors import RequestFailed
from workloads.energon.request import Kept
from workloads.transformer.errors import WeightError
from workloads.transformer.want import Want

pytestmark = pytest.mark.slow
PROMPTS = [[3, 1, 4, 1, 5, 9, 2, 6], [5], [3, 5, 8, 9]]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=53, n_positions=32, n_embd=24, n_layer=3, n_head=3, n_inner=40
    )
    folder = tmp_path_factory.mktemp("gpt2")
    transformers.GPT2LMHeadModel(config).eval().save_pretrained(folder)
    return folder


def expected(checkpoint: Path) -> torch.Tensor:
    model = transformers.GPT2LMHeadModel.from_pretrained(checkpoint, dtype=torch.float64).eval()
    with torch.inference_mode():
        return torch.cat([model(torch.tensor([prompt])).logits[0] for prompt in PROMPTS])


def test_four_ranks_answer_as_the_library_does_and_go_on_with_what_they_kept(checkpoint: Path) -> None:
    logits = expected(checkpoint)
    ends = torch.tensor([len(prompt) for prompt in PROMPTS]).cumsum(0) - 1
    with launch(
        checkpoint, tensor_parallel=2, pipeline_parallel=2, dtype="float64", threads_per_rank=1
    ) as engine:
        everything = engine.submit(PROMPTS)
        last = engine.submit(PROMPTS, want=Want.LAST_ROWS)
        first_parts = [prompt[:1] for prompt in PROMPTS]
        begun = engine.submit(first_parts, want=Want.NEXT_TOKENS, kept=Kept(ids=(7, 8, 9)))
        rest = engine.submit(
            [PROMPTS[2][1:], PROMPTS[0][1:]],
            want=Want.NEXT_TOKENS,
            kept=Kept(ids=(9, 7), past=(1, 1), released=(8,)),
        )
        unknown = engine.submit([[1]], kept=Kept(ids=(8,), past=(1,)))
        torch.testing.assert_close(everything.result(PATIENCE_S), logits, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(last.result(PATIENCE_S), logits[ends], rtol=1e-9, atol=1e-12)
        starts = ends + 1 - torch.tensor([len(prompt) for prompt in PROMPTS])
        assert begun.result(PATIENCE_S).tolist() == logits[starts].argmax(-1).tolist()
        assert rest.result(PATIENCE_S).tolist() == logits[ends[[2, 0]]].argmax(-1).tolist()
        with pytest.raises(RequestFailed, match="8"):
            unknown.result(PATIENCE_S)
        assert engine.submit(PROMPTS, want="next_tokens").result(PATIENCE_S).shape == (3,)


def test_a_padded_engine_with_parked_layers_answers_the_same(checkpoint: Path) -> None:
    options = {"is_packed": False, "num_parked": 2, "threads_per_rank": 1}
    with launch(checkpoint, dtype="float64", **options) as engine:  # type: ignore[arg-type]  # known options
        rows = engine.submit(PROMPTS).result(PATIENCE_S)
    torch.testing.assert_close(rows, expected(checkpoint), rtol=1e-9, atol=1e-12)


def test_a_checkpoint_that_holds_no_numbers_is_refused_with_the_name_of_the_weight(
    checkpoint: Path, tmp_path: Path
) -> None:
    for source in checkpoint.iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    weights["transformer.h.2.mlp.c_fc.weight"][3, 3] = torch.nan
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightError, match=r"h\.2\.mlp|layer\.2\.mlp"):
        launch(tmp_path, pipeline_parallel=2, threads_per_rank=1)

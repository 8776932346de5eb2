"""A whole sweep of inference: two placements of real ranks, told in the PDF without a word of training."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pypdf
import pytest

pytestmark = pytest.mark.slow

SAIH = (sys.executable, "-c", "from saih.cli import main; main()")
DIVIDED = """\
name: divided
workload: energon
base:
  data: {sequence: 16, valid_percent: 50, batches: 2, new_tokens: 1}
  model: {layers: 2, hidden: 16, heads: 2, vocab: 64}
axes:
  data: {sequence: [16, 32], packed: [1, 1]}
run: {batch_per_rank: 2, exchange: none}
placement:
  - {ranks_per_node: 2, tensor_parallel: 2}
  - {ranks_per_node: 2, pipeline_parallel: 2}
timing: {warmup_steps: 1, min_steps: 6, max_steps: 20, relative_width: 0.5, budget_s: 1}
"""


def saih(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*SAIH, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )


def test_a_sweep_of_divided_models_is_measured_and_told(
    tmp_path: Path, know_ceilings: Callable[[Path], None]
) -> None:
    know_ceilings(tmp_path / "results")
    (tmp_path / "divided.yaml").write_text(DIVIDED)
    swept = saih(tmp_path, "sweep", "divided.yaml")
    assert swept.returncode == 0, swept.stderr[-3000:]
    assert "divided: 4 completed" in swept.stderr + swept.stdout
    points = json.loads(saih(tmp_path, "analyze", "divided", "--json").stdout)["points"]
    assert len(points) == 4
    outcomes = [
        json.loads(path.read_text()) for path in tmp_path.glob("results/divided/*/attempt-*/outcome.json")
    ]
    assert len(outcomes) == 4
    for outcome in outcomes:
        assert {"tokens_per_s", "prompt_pass_p99_ns", "first_token_p50_ns"} <= set(
            outcome["content"]["notes"]
        )
    pages = pypdf.PdfReader(tmp_path / "reports" / "divided.pdf").pages
    text = " ".join(page.extract_text() for page in pages)
    assert not re.search(r"\btraining\b", text, re.IGNORECASE)

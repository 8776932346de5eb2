"""A whole sweep of devices and links: planned and explained, measured, and told in the PDF in words of its
own."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pypdf
import pytest

pytestmark = pytest.mark.slow

SAIH = (sys.executable, "-c", "from saih.cli import main; main()")
EDGE = """\
name: edge
workload: galaxy
base:
  data: {sequence: 16, link_mbit: 200, speeds: "4:2"}
  model: {family: bert, layers: 2, hidden: 32, heads: 4, vocab: 64, strategy: hybrid}
axes:
  data: {link_mbit: [400, 100, 25]}
  model: {strategy: [hybrid, even]}
placement: {ranks_per_node: 2, tensor_parallel: 2}
timing: {warmup_steps: 1, min_steps: 6, max_steps: 20, relative_width: 0.5, budget_s: 1}
"""


def saih(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*SAIH, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )


def test_a_sweep_over_links_is_planned_measured_and_told(tmp_path: Path) -> None:
    (tmp_path / "edge.yaml").write_text(EDGE)
    planned = json.loads(saih(tmp_path, "plan", "edge.yaml", "--json").stdout)
    assert [len(point["explanation"]) > 0 for point in planned["points"]] == [True] * 6
    assert "how devices will share the work" in saih(tmp_path, "plan", "edge.yaml").stdout
    swept = saih(tmp_path, "sweep", "edge.yaml")
    assert swept.returncode == 0, swept.stderr[-3000:]
    assert "edge: 6 completed" in swept.stderr + swept.stdout
    analysis = json.loads(saih(tmp_path, "analyze", "edge", "--json").stdout)
    assert len(analysis["points"]) == 6
    trends = [trend for trend in analysis["trends"] if trend["axis"] == "cluster"]
    assert [len(trend["sizes"]) for trend in trends] == [3, 3]  # never joined across techniques
    assert not [trend for trend in analysis["trends"] if trend["axis"] == "data"]
    for path in tmp_path.glob("results/edge/*/attempt-*/outcome.json"):
        notes = json.loads(path.read_text())["content"]["notes"]
        assert {"plan", "mode", "predicted_ns", "latency_p50_ns", "measured_over_predicted", "check"} <= set(
            notes
        )
        assert notes["mode"] == "paced devices, paced links"
    pages = pypdf.PdfReader(tmp_path / "reports" / "edge.pdf").pages
    text = " ".join(page.extract_text() for page in pages)
    assert not re.search(r"\btraining\b|\bgradient", text, re.IGNORECASE)
    assert "Mbit/s" in text
    assert "paced" in text

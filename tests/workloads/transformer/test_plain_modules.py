"""What plans on a login node imports no library of numbers."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PLAIN = (
    "architecture",
    "checkpoint_folder",
    "checkpoint_names",
    "config",
    "errors",
    "ladder",
    "layout",
    "split",
    "weight_names",
    "weight_part",
)


def test_arithmetic_and_names_import_neither_torch_nor_numpy() -> None:
    modules = ", ".join(f"workloads.transformer.{name}" for name in PLAIN)
    program = f"import sys; sys.modules.update(torch=None, numpy=None, safetensors=None); import {modules}"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)

"""The inference engine on one GPU: padding left out, parked layers, the largest model; into one folder.

    python -m benchmarks.energon_gpu --out results/energon-gpu

It needs torch, numpy and jaxtyping, no network and no MPI, and ends within 9 minutes on a GPU of 140 GB.
Where transformers and accelerate are installed they compute the same in turns; else their cells say so.
The folder gets a JSON document and the tables as Markdown, anew after every part. Bars are judged on a GPU;
``--device cpu --quick`` shows within seconds that all of it runs.
"""

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks.energon_gpu_largest import largest
from benchmarks.energon_gpu_model import Setting, give_memory_back, touch_host
from benchmarks.energon_gpu_padding import padding
from benchmarks.energon_gpu_pooling import pooling
from benchmarks.energon_gpu_report import Section, facts, show, write

PARTS: dict[str, Callable[[Setting], Section]] = {
    "padding": padding,
    "pooling": pooling,
    "largest": largest,
}


def main(arguments: Sequence[str]) -> int:
    """Print tables and bars and write both files; 1 if a part failed, or a bar is missed on a GPU."""
    options = _options(arguments)
    device = torch.device("cuda", 0) if options.device == "cuda" else torch.device("cpu")
    known, sections, met = facts(device), list[Section](), list[bool]()
    command = shlex.join(["python", "-m", "benchmarks.energon_gpu", *arguments])
    touch_host(round(options.host_gib * 2**30))
    with tempfile.TemporaryDirectory(prefix="saih-energon-gpu-") as name:
        setting = Setting(device=device, is_quick=options.quick, folder=Path(name))
        for part in options.part or PARTS:
            begun_s = time.perf_counter()
            sections.append(_section(part, setting))
            give_memory_back(device)
            met.append(show(sections[-1], is_judged=device.type == "cuda"))
            known[f"{part}_s"] = round(time.perf_counter() - begun_s, 1)
            write(options.out, command, known, sections)
    return 0 if all(met) else 1


def _section(part: str, setting: Setting) -> Section:
    """A part's table; one that fails leaves the others theirs."""
    try:
        return PARTS[part](setting)
    except Exception as error:  # whatever a device throws, the other parts are worth their time
        return Section(title=part, failure=f"{type(error).__name__}: {error}")


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="where to compute")
    parser.add_argument(
        "--host-gib",
        type=float,
        default=0.0,
        help="use so much memory once before, on hosts that are given theirs by its use (default: none)",
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, which only show that it runs")
    parser.add_argument("--part", choices=tuple(PARTS), action="append", help="only this part (repeatable)")
    options = parser.parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no GPU here; --device cpu --quick shows that the parts run")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Benchmarks of the inference engine: what each technique gains, against its limit and against peers.

``python -m benchmarks.energon [--quick] [--part drce|nbpp|pooling|controller|tensor|serving|exactness]``.
Each part prints one table, then its bars. Peers run on the same machine in the same run, in turns with
ours: transformers and accelerate as they are installed, DeepSpeed in an environment of its own below the
user's cache, made on first use.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

PARTS = {
    "exactness": "benchmarks.energon_exactness",
    "drce": "benchmarks.energon_drce",
    "nbpp": "benchmarks.energon_pipeline",
    "pooling": "benchmarks.energon_pooling",
    "controller": "benchmarks.energon_controller",
    "tensor": "benchmarks.energon_tensor",
    "serving": "benchmarks.energon_serving",
}
"""Each module's ``main(arguments)`` prints its table and bars, and gives 1 when a bar is missed."""


def main(arguments: Sequence[str]) -> int:
    """Print tables and bars; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns and smaller sizes")
    parser.add_argument("--part", choices=tuple(PARTS), action="append", help="only this part (repeatable)")
    options = parser.parse_args(arguments)
    words = ["--quick"] if options.quick else []
    codes = []
    for part in options.part or PARTS:
        print(f"\n== {part} ==", flush=True)
        codes.append(importlib.import_module(PARTS[part]).main(words))
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Benchmarks of the inference engine: what each technique gains, against its limit and against peers.

``python -m benchmarks.energon [--quick] [--part drce|nbpp|pooling|controller|tensor|serving|exactness]``.
Each part prints one table, then its bars. Peers run on the same machine in the same run, in turns with
ours: transformers as it is installed, DeepSpeed and accelerate in environments of their own below the
user's cache, made on first use.
"""

import sys

from benchmarks.parts import run_parts

PARTS = {
    "exactness": "benchmarks.energon_exactness",
    "drce": "benchmarks.energon_drce",
    "nbpp": "benchmarks.energon_pipeline",
    "pooling": "benchmarks.energon_pooling",
    "controller": "benchmarks.energon_controller",
    "tensor": "benchmarks.energon_tensor",
    "serving": "benchmarks.energon_serving",
}


if __name__ == "__main__":
    sys.exit(run_parts(__doc__ or "", PARTS, sys.argv[1:]))

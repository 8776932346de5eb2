"""The training step against plain loops, its peer, the machine's limits, and what a trend costs.

``python -m benchmarks.training [--quick] [--part NAME]``.
"""

import sys

from benchmarks.parts import run_parts

PARTS = {
    "step": "benchmarks.training_step",
    "peer": "benchmarks.training_peer",
    "ladder": "benchmarks.training_ladder",
    "kernels": "benchmarks.training_kernels",
    "spatial": "benchmarks.training_spatial",
    "input": "benchmarks.training_input",
    "trend": "benchmarks.training_trend",
}

if __name__ == "__main__":
    sys.exit(run_parts(__doc__ or "", PARTS, sys.argv[1:]))

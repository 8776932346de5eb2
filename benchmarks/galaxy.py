"""Benchmarks of inference on unequal devices: each strategy, against its bound and against baselines.

``python -m benchmarks.galaxy [--quick] [--part exactness|latency|planner|live|real]``. Each part prints one
table, then its bars. What is paced says so: devices sleep for as long as their products would take, and bytes
and sockets are real, for few cores cannot be several devices.
"""

import sys

from benchmarks.parts import run_parts

PARTS = {
    "exactness": "benchmarks.galaxy_exactness",
    "latency": "benchmarks.galaxy_latency",
    "planner": "benchmarks.galaxy_planner",
    "live": "benchmarks.galaxy_live",
    "real": "benchmarks.galaxy_real",
}


if __name__ == "__main__":
    sys.exit(run_parts(__doc__ or "", PARTS, sys.argv[1:]))

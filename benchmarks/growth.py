"""Benchmarks of learning: does a network learn what universes tell, and does it learn more as it grows.

``python -m benchmarks.growth [--quick] [--part baselines|ladder]``. Each part prints one table, then its
bars. Universes are made on first use and kept below the user's cache.
"""

import sys

from benchmarks.parts import run_parts

PARTS = {
    "baselines": "benchmarks.growth_baselines",
    "ladder": "benchmarks.growth_ladder",
}


if __name__ == "__main__":
    sys.exit(run_parts(__doc__ or "", PARTS, sys.argv[1:]))

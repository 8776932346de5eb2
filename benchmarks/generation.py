"""Benchmarks of the data: are the universes right, how fast are they made, and does the data survive.

``python -m benchmarks.generation [--quick] [--part power|speed|slabs|kills|storage|augment|formats]``.
Each part prints one table, then its bars. Peers run on the same cores in the same run, in environments of
their own below the user's cache, made on first use.
"""

import sys

from benchmarks.parts import run_parts

PARTS = {
    "power": "benchmarks.generation_power",
    "speed": "benchmarks.generation_speed",
    "slabs": "benchmarks.generation_slabs",
    "kills": "benchmarks.generation_kills",
    "storage": "benchmarks.generation_storage",
    "augment": "benchmarks.generation_augment",
    "formats": "benchmarks.generation_formats",
}


if __name__ == "__main__":
    sys.exit(run_parts(__doc__ or "", PARTS, sys.argv[1:]))

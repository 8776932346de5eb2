"""A driver of an allocation with the tiny worker: ``tiny_allocation.py SWEEP_FOLDER SUBMISSION [INDEX]``."""

import sys

from saih.launch.allocation import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], worker_module="tiny_worker"))

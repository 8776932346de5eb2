"""The driver of an allocation with the worker of the fault tests."""

import sys

from saih.launch.allocation import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], worker_module="slurm_worker"))

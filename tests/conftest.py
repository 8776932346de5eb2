"""What several packages of tests share: a Slurm cluster on this machine, a browser, and the tiny worker."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.extend(str(folder) for folder in (HERE, HERE / "launch", HERE / "faults"))

pytest_plugins = ("slurm_cluster_fixture", "browser_fixture")

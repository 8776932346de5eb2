"""What several packages of tests share: a Slurm cluster on this machine."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

pytest_plugins = ("slurm_cluster_fixture",)

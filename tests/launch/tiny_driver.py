"""A driver process to be killed: ``tiny_driver.py ROOT NUM_POINTS DURATION_S LOCK_PATIENCE_S``."""

import sys
from pathlib import Path

from tiny_points import ENVIRONMENT, tiny_point

from saih.domain.errors import SaihError
from saih.launch.campaign import run
from saih.launch.job_run import Options
from saih.store.sweep_folder import SweepFolder, record_definition


def main(root: str, num_points: str, duration_s: str, lock_patience_s: str) -> int:
    folder = SweepFolder(Path(root), "killed")
    points = [tiny_point(width, duration_s=float(duration_s)) for width in range(1, int(num_points) + 1)]
    options = Options(seed=3, worker_module="tiny_worker", lock_patience_s=float(lock_patience_s))
    try:
        record_definition(folder, {"num_points": num_points})
        run(folder, points, folder.root, ENVIRONMENT, lambda event: None, options)
    except SaihError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""A driver process that measures two real points and puts them to the test: ``verify_driver.py ROOT``.

It tells every event in a line of JSON, so that whoever reads them can kill it at a chosen moment.
"""

import json
import sys
from pathlib import Path

from bundle_samples import ceilings

from saih.config.definition import define
from saih.config.sweep_file import parse_sweep
from saih.domain.errors import SaihError
from saih.domain.limits import Limits
from saih.domain.verification import VerifyPlan
from saih.launch.campaign import run
from saih.launch.job_run import Options
from saih.machine.environment import capture
from saih.planner.plan import make_plan
from saih.store.ceilings_file import write_ceilings
from saih.store.limits_file import write_limits
from saih.store.sweep_folder import SweepFolder, record_definition

SWEEP = """\
name: tested
workload: cosmoflow
base:
  data: {samples: 8, resolution: 8, channels: 1, universes: 2}
  model: {depth: 1, width: 2}
axes:
  model: {width: [2, 4]}
placement: {ranks_per_node: 2}
timing: {warmup_steps: 1, min_steps: 12, max_steps: 24, relative_width: 0.9, budget_s: 1}
"""
PLAN = VerifyPlan(num_pairs=2, pairs_per_dose=1, doses=(0.5,), window_s=0.01, settle_s=0.0)


def main(root: str) -> int:
    folder = SweepFolder(Path(root) / "results", "tested")
    sweep = parse_sweep(SWEEP, "the test")
    points = [planned.point for planned in make_plan(sweep, Limits()).points]
    where = capture()
    try:
        record_definition(folder, define(sweep))
        write_limits(folder, Limits())
        write_ceilings(folder.root, ceilings(where, points[0].placement.label))  # measuring them takes 40 s
        run(folder, points, Path(root) / "data", where, tell, Options(seed=1, verify=PLAN))
    except SaihError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def tell(event: object) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

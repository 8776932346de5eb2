"""Submit what is missing of a sweep of tiny points: ``slurm_sweep.py ROOT``, again and again.

ROOT/asked.json says what is asked. The steps are those of ``saih sweep`` on a cluster; only the points, the
worker and the packing are this program's own.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tiny_points import tiny_point

from saih.commands.cancelling import cancel_spare_jobs
from saih.commands.situation import read_account
from saih.domain.batch import Batch
from saih.domain.errors import SaihError
from saih.domain.point import Point
from saih.domain.site import Site
from saih.launch import script
from saih.launch.submission import reconcile, submit
from saih.launch.submission_plan import Order
from saih.store.batch_folder import batch_numbers
from saih.store.sweep_folder import SweepFolder, point_states, record_definition

NAME = "faulty"


def ask(root: Path, points: list[dict[str, Any]], *, num_batches: int = 1, **site: Any) -> None:
    """Writes down what a sweep is to be: the arguments of its points, and keys of the site."""
    root.mkdir(parents=True, exist_ok=True)
    asked = {"points": points, "num_batches": num_batches, "site": site}
    (root / "asked.json").write_text(json.dumps(asked))


def points_of(root: Path) -> list[Point]:
    """The points that were asked."""
    return [tiny_point(**each) for each in json.loads((root / "asked.json").read_text())["points"]]


def folder_of(root: Path) -> SweepFolder:
    """Where the results are."""
    return SweepFolder(root / "results", NAME)


def main(root: Path) -> int:
    asked = json.loads((root / "asked.json").read_text())
    usual: dict[str, Any] = {"max_time_s": 600.0, "notice_s": 20.0, "is_exclusive": False}
    site = Site(name="ci", scheduler="slurm", **{**usual, **asked["site"]})
    folder, points = folder_of(root), points_of(root)
    try:
        record_definition(folder, {"num_points": len(points)})
        reconcile(folder, say)
        states = point_states(folder, [point.point_id for point in points])
        account = read_account(folder, states, is_fresh=True)
        for job in cancel_spare_jobs(account.jobs):
            say(f"cancelled {job.job_id}")
        left = [
            point
            for point in points
            if states[point.point_id].is_to_be_measured and point.point_id not in account.live_points
        ]
        say(f"{len(left)} points to submit, {len(account.live_points)} under way")
        if left:
            batches = _packed(left, asked["num_batches"], max(batch_numbers(folder), default=0) + 1)
            order = Order(site=site, batches=batches, data_folder=root / "data", reports_folder=None)
            submit(folder, order, say)
    except SaihError as error:
        say(str(error))
        return error.exit_code
    return 0


def _packed(points: list[Point], num_batches: int, first: int) -> tuple[Batch, ...]:
    shares = [points[number::num_batches] for number in range(num_batches)]
    return tuple(
        Batch(
            number=number,
            points=tuple(share),
            nodes=max(point.placement.nodes for point in share),
            predicted_s=60.0,
            time_limit_s=300.0,
        )
        for number, share in enumerate((share for share in shares if share), start=first)
    )


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    script._DRIVER = "slurm_driver"
    sys.exit(main(Path(sys.argv[1])))

"""The work on points, whoever drives it: data sets, ceilings and measurements, by placement."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from saih.domain.errors import DamagedData, SaihError
from saih.domain.job import Task
from saih.domain.number_formats import precisions_met
from saih.domain.point import Placement, Point
from saih.domain.record import Outcome
from saih.launch.event import message
from saih.launch.job_run import JobEnd, Surroundings, ended_early, require_done, run_job
from saih.launch.verify_work import verify
from saih.store.attempt import read_outcome
from saih.store.ceilings_file import read_ceilings
from saih.store.sweep_folder import point_states
from workloads.execution import PLAIN


def work(around: Surroundings, points: Sequence[Point]) -> Counter[Outcome]:
    """Generate, measure ceilings, and measure every point that has no outcome yet; counts the attempts.

    Then, where that is asked for, put every measured point to the test that was not yet.

    Raises:
        Interrupted: when it is time to stop.
        Superseded: when somebody else took the points over.
        SaihError: when the worker says so, or ends before it begins a point.
    """
    counts: Counter[Outcome] = Counter()
    left = _to_measure(around, points)
    if left:
        environment_id = generate(around, left).environment_id
        for placement, group in _groups(left).items():
            counts += _run_placement(around, placement, group, environment_id)
    if around.options.verify is not None:
        verify(around, points)
    return counts


def generate(around: Surroundings, points: Sequence[Point], most_nodes: int | None = None) -> JobEnd:
    """Make the data sets of the points, each once, with the most ranks that any of them has.

    Generating needs no GPU, and no more than one start of the ranks, however many placements there are.
    ``most_nodes`` is what the allocation has; None for as many as any point needs.
    """
    largest = max((point.placement for point in points), key=lambda placement: placement.num_ranks)
    nodes = largest.nodes if most_nodes is None else min(largest.nodes, most_nodes)
    placement = Placement(
        nodes=nodes,
        ranks_per_node=largest.ranks_per_node,
        threads_per_rank=largest.threads_per_rank,
        data_parallel=nodes * largest.ranks_per_node,
    )
    wanted = {(point.workload, point.problem.data): replace(point, placement=placement) for point in points}
    return _run_task(around, "generate", placement, tuple(wanted.values()))


def order_key(seed: int, point: Point) -> bytes:
    """Sorting by this shuffles points by the seed; what is left after a stop keeps its order.

    Executions of one problem stay beside each other, so that what changes meanwhile is the same for all.
    """
    plain = replace(point, execution=PLAIN)
    return hashlib.sha256(f"{seed} {plain.point_id}".encode()).digest()


def _to_measure(around: Surroundings, points: Sequence[Point]) -> list[Point]:
    """Points without an outcome, shuffled; those that were begun before and did not end come last.

    So a point at which every start ends, for whatever reason, does not keep the others waiting.
    """
    unique = {point.point_id: point for point in points}
    states = point_states(around.folder, unique)
    left = [point for point_id, point in unique.items() if states[point_id].is_to_be_measured]

    def key(point: Point) -> tuple[int, bytes]:
        return states[point.point_id].num_attempts, order_key(around.options.seed, point)

    return sorted(left, key=key)


def _groups(points: Iterable[Point]) -> Mapping[Placement, list[Point]]:
    """Points by placement, few ranks first: what costs least is known first."""
    groups: dict[Placement, list[Point]] = {}
    for point in points:
        groups.setdefault(point.placement, []).append(point)
    return dict(sorted(groups.items(), key=lambda group: group[0].num_ranks))


def _run_placement(
    around: Surroundings, placement: Placement, points: Sequence[Point], environment_id: str
) -> Counter[Outcome]:
    """Ceilings where none are known in the environment that all ranks together found, then the points."""
    cores = len(os.sched_getaffinity(0))
    if placement.ranks_per_node * placement.threads_per_rank > cores:
        around.on_event(
            message(f"{placement.label} shares {cores} cores: its ranks will wait for each other.")
        )
    if around.environment is not None:
        environment_id = around.environment.environment_id
    if not set(precisions_met(points)) <= _precisions(around, placement, environment_id):
        found_id = _run_task(around, "ceilings", placement, points).environment_id
        if around.environment is None:
            environment_id = found_id  # fewer of the nodes may be more alike
        if not _precisions(around, placement, environment_id):
            raise SaihError(
                f"the ranks measured the ceilings of {placement.label} in another environment than this "
                "command was started in: software or checkout changed meanwhile.",
                "let it rest (no commits, edits or installs while a sweep runs), then run the same command "
                "again; nothing is lost.",
            )
    return _measure(around, placement, points)


def _precisions(around: Surroundings, placement: Placement, environment_id: str) -> frozenset[str]:
    """The number formats whose ceilings were looked for in the environment for the placement."""
    try:
        found = read_ceilings(around.folder.root, environment_id, placement)
    except DamagedData as error:
        around.on_event(message(f"{error.problem} It is measured again."))
        return frozenset()
    return frozenset() if found is None else found.tried_precisions


def _run_task(around: Surroundings, task: Task, placement: Placement, points: Sequence[Point]) -> JobEnd:
    end = run_job(around, task, placement, points)
    require_done(end)
    return end


def _measure(around: Surroundings, placement: Placement, points: Sequence[Point]) -> Counter[Outcome]:
    counts: Counter[Outcome] = Counter()
    lost: Counter[str] = Counter()
    left = list(points)
    while left:
        end = run_job(around, "measure", placement, left)
        if not end.begun:
            raise ended_early(end)
        outcomes = {attempt.point_id: read_outcome(attempt).outcome for attempt in end.begun}
        counts.update(outcomes.values())
        alone = set(outcomes) - set(end.left_out)  # the others come further the next time
        lost.update(point_id for point_id in alone if outcomes[point_id] is Outcome.LOST)
        # A point that lost its ranks goes to the end, so that it cannot keep the others waiting.
        again = [
            point
            for point in left
            if outcomes.get(point.point_id) is Outcome.LOST and lost[point.point_id] < around.options.max_lost
        ]
        left = [point for point in left if point.point_id not in outcomes] + again
    return counts

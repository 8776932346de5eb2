"""What was named, put to the test by ``saih verify``: how much of the right is verified, and of the false."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from benchmarks.interventions_runs import Bench
from benchmarks.interventions_scoring import Judged, Score, row_name, score
from saih.analyzer.verification import TESTS
from saih.domain.trend import Limit
from saih.domain.verification import QUICK, Intervention, Status, VerifyPlan

DOSES = (0.3, 0.6, 1.0)


def put_to_the_test(bench: Bench, runs: Sequence[Judged], most_per_cause: int) -> Mapping[int, Status]:
    """Status of what was named, by the seed of the run; only what the analyzer names decides how.

    Tested are the strongest runs of each cause, and every false claim.
    """
    groups: dict[Limit, list[int]] = defaultdict(list)
    for run in chosen(runs, most_per_cause):
        if run.named is not None:
            groups[run.named].append(run.seed)
    for limit, seeds in groups.items():
        bench.verify(seeds, plan_for(limit))
    found = bench.verifications()
    named = {run.seed: run.named for run in runs}
    return {
        seed: one.status for seed, tests in found.items() for one in tests if one.limit is named.get(seed)
    }


def chosen(runs: Sequence[Judged], most_per_cause: int) -> list[Judged]:
    """The strongest rightly named runs of each single cause, and all false claims, that can be tested."""
    testable = [run for run in runs if run.named in TESTS and len(run.causes) == 1]
    right = sorted((run for run in testable if score(run) is Score.RIGHT), key=lambda run: -run.dose)
    counts: Counter[str] = Counter()
    kept = []
    for run in right:
        counts[row_name(run)] += 1
        if counts[row_name(run)] <= most_per_cause:
            kept.append(run)
    return [*kept, *(run for run in testable if score(run) is Score.FALSE)]


def plan_for(limit: Limit) -> VerifyPlan:
    """The windows that test one verdict, in short."""
    test = TESTS[limit]
    removal = test.removal or Intervention.COMPUTE_ONLY
    return VerifyPlan(
        num_pairs=QUICK.num_pairs,
        pairs_per_dose=QUICK.pairs_per_dose,
        doses=DOSES,
        window_s=QUICK.window_s,
        settle_s=QUICK.settle_s,
        interventions=(Intervention.SHAM, removal, test.load),
    )


def report_tested(
    runs: Sequence[Judged], status: Mapping[int, Status]
) -> list[tuple[str, float, str, float]]:
    """Print the status of right and of false names; gives the bars."""
    tested = [run for run in runs if run.seed in status]
    bars: list[tuple[str, float, str, float]] = []
    for kind in (Score.RIGHT, Score.FALSE):
        counts = Counter(status[run.seed] for run in tested if score(run) is kind)
        said = ", ".join(f"{number} {name}" for name, number in sorted(counts.items())) or "none tested"
        print(f"verdicts put to the test, {kind}: {said}")
        if kind is Score.FALSE:
            bars.append(
                ("verified among false claims", float(counts["verified"]) if tested else math.nan, "<=", 0.0)
            )
    return bars

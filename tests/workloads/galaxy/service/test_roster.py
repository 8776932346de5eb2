"""Which members a plan may have together."""

from dataclasses import replace

import pytest

from tests.workloads.galaxy.plan_samples import device
from tests.workloads.galaxy.service.spoken_devices import answered, talk_with
from workloads.galaxy.service.roster import Roster
from workloads.galaxy.service.watch import Finding


def left_of(roster: Roster, *cuts: tuple[int, int]) -> tuple[int, ...]:
    """Who stays together where these pairs do not reach each other."""
    roster.cuts = {frozenset(pair) for pair in cuts}
    return roster.together


def test_those_stay_together_who_reach_each_other() -> None:
    speeds = (4.0, 9.0, 2.0, 6.0)
    with talk_with([device(speed) for speed in speeds], lambda _, header: answered(header)) as talk:
        roster = talk.conversation.roster
        assert left_of(roster) == (0, 1, 2, 3)
        assert left_of(roster, (0, 1)) == (1, 2, 3)  # the slower one goes
        assert left_of(roster, (1, 0), (1, 2)) == (0, 2, 3)  # the one that most do not reach
        assert left_of(roster, (0, 1), (2, 3)) == (1, 3)
        assert list(roster.cluster().devices) == [device(9.0), device(6.0)]
        talk.remove(1)
        assert roster.together == (0, 3)


def test_what_tiles_cost_is_believed_after_some_requests() -> None:
    known = replace(device(4.0), tile_ns=1e4)
    with talk_with([known], lambda _, header: answered(header)) as talk:
        roster = talk.conversation.roster
        costs = []
        for _ in range(10):
            roster.believe(Finding(speeds={}, tile_ns={0: 9e4, 5: 1.0}, has_new_links=False))
            costs.append(roster.members[0].profile.tile_ns)
    assert costs[0] == pytest.approx(3e4)
    assert costs == sorted(costs)
    assert costs[-1] == pytest.approx(9e4, rel=0.01)

"""What the coordinator makes of one request that came otherwise than foreseen."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import inf

import pytest

from tests.workloads.galaxy.plan_samples import cluster, device, small
from tests.workloads.galaxy.service.spoken_devices import KNOWN, answered, talk_with
from workloads.galaxy.plan import Strategy
from workloads.galaxy.planning.heuristic import even_split
from workloads.galaxy.profile import ClusterProfile, LinkProfile
from workloads.galaxy.service.best_plans import BestPlans
from workloads.galaxy.service.busy import Busy
from workloads.galaxy.service.coordinator import Coordinator
from workloads.galaxy.service.planning import Foreseen
from workloads.galaxy.service.watch import Measured
from workloads.galaxy.service.welcome import Welcome
from workloads.steady_clock import steady_ns

MODEL = small()
NUM_TOKENS = 24
SLOW = LinkProfile(delay_ns=1e6, rate=1e7)


class Both(BestPlans):
    """Two devices share, whatever is best."""

    def plan(self, cluster: ClusterProfile, num_tokens: int) -> Foreseen:
        plan = even_split(self.architecture, cluster, strategy=Strategy.HYBRID)
        return self.foresee(cluster, replace(plan, num_tiles=2), num_tokens)


@contextmanager
def two_devices(link: LinkProfile) -> Iterator[Coordinator]:
    """With a plan in force; their links are found to be like this one when they are measured again."""
    profiles = [replace(device(speed), tile_ns=2e4) for speed in (4.0, 9.0)]
    with talk_with(profiles, lambda _, header: answered(header, link)) as talk:
        coordinator = Coordinator(
            conversation=talk.conversation,
            planning=Both(architecture=MODEL, itemsize=4),
            welcome=Welcome(),
            clock=steady_ns,
            look_again_s=inf,
        )
        coordinator._prepared(NUM_TOKENS)
        yield coordinator


def believed(coordinator: Coordinator) -> float:
    """Latency of the plan in force by what is believed now [ns]."""
    current = coordinator._current(NUM_TOKENS)
    assert current is not None
    return current.latency_ns


def came(foreseen: Foreseen, latency_ns: float) -> Measured:
    """A request by a first device that is half as fast as it was."""
    taken = dict(foreseen.busy)
    taken[0] = Busy(work_ns=2.0 * taken[0].work_ns, around_ns=2.0 * taken[0].around_ns)
    return Measured(
        foreseen=foreseen.busy,
        taken=taken,
        foreseen_latency_ns=foreseen.latency_ns,
        latency_ns=latency_ns,
    )


def test_a_link_that_changed_with_a_device_is_found_by_the_same_request() -> None:
    with two_devices(SLOW) as coordinator:
        foreseen = coordinator._prepared(NUM_TOKENS)
        coordinator._learn(came(foreseen, 20.0 * foreseen.latency_ns), NUM_TOKENS)
        roster = coordinator.conversation.roster
        assert roster.links == {(0, 1): SLOW, (1, 0): SLOW}
        assert roster.members[0].profile.product_rates[-1] == pytest.approx(2e9)


def test_links_are_left_alone_where_a_slower_device_explains_the_answer() -> None:
    with two_devices(SLOW) as coordinator:
        foreseen = coordinator._prepared(NUM_TOKENS)
        slower = cluster(*(replace(device(speed), tile_ns=2e4) for speed in (2.0, 9.0)))
        slower = replace(slower, links=((KNOWN,) * 2,) * 2)
        expected = coordinator.planning.foresee(slower, foreseen.plan, NUM_TOKENS)
        coordinator._learn(came(foreseen, 1.05 * expected.latency_ns), NUM_TOKENS)
        assert set(coordinator.conversation.roster.links.values()) == {KNOWN}
        assert coordinator._has_changed


def test_what_neither_devices_nor_links_explain_is_expected_of_the_plan_from_then_on() -> None:
    with two_devices(KNOWN) as coordinator:
        foreseen = coordinator._prepared(NUM_TOKENS)
        late_ns = 20.0 * foreseen.latency_ns
        coordinator._learn(came(foreseen, late_ns), NUM_TOKENS)
        assert believed(coordinator) * coordinator._bias == pytest.approx(late_ns)

"""A service with real devices: processes that join, answer, die, and come back."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle

import pytest
import torch

from tests.workloads.galaxy.service.devices_by_hand import (
    AGENT,
    MODEL,
    PATIENCE_S,
    SEED,
    Devices,
    alone,
    devices_of,
)
from workloads.galaxy.plan import DevicePart, ParallelPlan, Strategy, shares_of
from workloads.galaxy.profile import ClusterProfile, LinkProfile
from workloads.galaxy.service.best_plans import BestPlans
from workloads.galaxy.service.busy import Busy
from workloads.galaxy.service.errors import ServiceError
from workloads.galaxy.service.planning import Foreseen
from workloads.galaxy.service.roster import Roster
from workloads.galaxy.service.service import Served, Service
from workloads.galaxy.service.watch import Finding, Speed
from workloads.transformer.errors import RequestError
from workloads.transformer.split import Span

pytestmark = pytest.mark.slow
PROMPT = [7, 3, 60, 0, 12, 5, 9, 33, 21, 2, 8]
SHUT_AGENT = "tests.workloads.galaxy.service.shut_agent"
SETTLED_S = 4.0
"""After which nothing is measured behind a request."""
SOON_S = 180.0
"""For an answer that nothing keeps waiting."""


class AllOfThem:
    """Every device takes part, however slow that is; the first has most."""

    def plan(self, cluster: ClusterProfile, num_tokens: int) -> Foreseen:
        del num_tokens
        return self.shared(cluster, range(len(cluster.devices)))

    def shared(self, cluster: ClusterProfile, devices: Sequence[int]) -> Foreseen:
        """A plan of these devices."""
        count = len(devices)
        heads = [MODEL.num_kv_heads - count + 1, *[1] * (count - 1)]
        columns = [MODEL.ffn_size - 7 * (count - 1), *[7] * (count - 1)]
        parts = tuple(
            DevicePart(device=device, share=share, layers=Span(0, MODEL.num_layers), row_weight=1.0 + place)
            for place, (device, share) in enumerate(
                zip(devices, shares_of(MODEL, heads, columns), strict=True)
            )
        )
        strategy = Strategy.HYBRID if count > 1 else Strategy.LOCAL
        return self.foresee(cluster, ParallelPlan(strategy=strategy, parts=parts, num_tiles=2), 0)

    def foresee(self, cluster: ClusterProfile, plan: ParallelPlan, num_tokens: int) -> Foreseen:
        del cluster, num_tokens
        latency_ns = 1e9 / len(plan.devices)
        nothing = Busy(work_ns=0.0, around_ns=0.0)
        return Foreseen(plan=plan, latency_ns=latency_ns, busy=dict.fromkeys(plan.devices, nothing))


@pytest.fixture(name="service")
def running_service() -> Iterator[Service]:
    served = Served(architecture=MODEL, planning=AllOfThem(), seed=SEED, dtype="float64", token="secret")
    with Service(served, print) as service:
        yield service


@pytest.fixture(name="devices")
def started_devices(service: Service) -> Iterator[Devices]:
    with devices_of(service.port, "secret") as devices:
        yield devices


def until_there_are(service: Service, names: set[str]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while set(service.devices) != names:
        assert time.monotonic() < deadline_s, f"{service.devices} are there, {names} should be"
        time.sleep(0.05)


def test_three_devices_answer_as_one_would(service: Service, devices: Devices) -> None:
    for name in ("a", "b", "c"):
        devices.start(name)
    until_there_are(service, {"a", "b", "c"})
    answers = [service.submit(PROMPT[:length]) for length in (11, 1, 2, 11)]
    for answer, length in zip(answers, (11, 1, 2, 11), strict=True):
        answered = answer.result(PATIENCE_S)
        assert set(answered.devices) == {"a", "b", "c"}
        torch.testing.assert_close(answered.rows, alone(PROMPT[:length]), rtol=1e-9, atol=1e-12)


def test_a_killed_device_ends_no_request_and_one_that_joins_takes_part(
    service: Service, devices: Devices
) -> None:
    for name in ("a", "b", "c"):
        devices.start(name)
    until_there_are(service, {"a", "b", "c"})
    answers = [service.submit(PROMPT) for _ in range(20)]
    answers[3].result(PATIENCE_S)
    devices.processes["b"].send_signal(signal.SIGKILL)
    for answer in answers:
        torch.testing.assert_close(answer.result(PATIENCE_S).rows, alone(PROMPT), rtol=1e-9, atol=1e-12)
    until_there_are(service, {"a", "c"})
    assert set(service.submit(PROMPT).result(PATIENCE_S).devices) == {"a", "c"}
    devices.start("d")
    until_there_are(service, {"a", "c", "d"})
    assert set(service.submit(PROMPT).result(PATIENCE_S).devices) == {"a", "c", "d"}


def test_a_device_that_is_lost_between_two_requests_is_missed_by_none(
    service: Service, devices: Devices
) -> None:
    for name in ("a", "b"):
        devices.start(name)
    until_there_are(service, {"a", "b"})
    assert set(service.submit(PROMPT).result(PATIENCE_S).devices) == {"a", "b"}
    devices.processes["a"].kill()
    until_there_are(service, {"b"})
    answered = service.submit(PROMPT).result(PATIENCE_S)
    assert (answered.devices, answered.num_attempts) == (("b",), 1)
    torch.testing.assert_close(answered.rows, alone(PROMPT), rtol=1e-9, atol=1e-12)


def test_a_device_that_hangs_is_taken_for_lost(service: Service, devices: Devices) -> None:
    for name in ("a", "b"):
        devices.start(name)
    until_there_are(service, {"a", "b"})
    service.submit(PROMPT).result(PATIENCE_S)
    devices.processes["b"].send_signal(signal.SIGSTOP)
    answered = service.submit(PROMPT).result(PATIENCE_S)
    assert answered.devices == ("a",)
    torch.testing.assert_close(answered.rows, alone(PROMPT), rtol=1e-9, atol=1e-12)


def test_who_does_not_know_the_token_is_turned_away(service: Service, devices: Devices) -> None:
    stranger = devices.start("stranger", token="guess")
    assert stranger.wait(PATIENCE_S) == 2
    assert stranger.stderr is not None
    assert "its token is not that of this service" in stranger.stderr.read()
    assert service.devices == ()


def test_two_devices_of_one_name_cannot_be_told_apart(service: Service, devices: Devices) -> None:
    devices.start("a")
    until_there_are(service, {"a"})
    twin = devices.start("a", known_as="twin")
    assert twin.wait(PATIENCE_S) == 2
    assert service.devices == ("a",)


def test_devices_end_with_the_service(service: Service, devices: Devices) -> None:
    for name in ("a", "b", "c"):
        devices.start(name)
    until_there_are(service, {"a", "b", "c"})
    service.submit(PROMPT).result(PATIENCE_S)
    service.close()
    assert [agent.wait(PATIENCE_S) for agent in devices.processes.values()] == [0, 0, 0]
    with pytest.raises(ServiceError, match="closed"):
        service.submit(PROMPT)


def test_a_service_without_devices_says_what_to_do(service: Service) -> None:
    with pytest.raises(ServiceError, match="no device is there"):
        service.submit(PROMPT).result(PATIENCE_S)


def test_an_empty_token_would_let_anybody_in() -> None:
    with pytest.raises(ServiceError, match="anybody could join"):
        Service(Served(architecture=MODEL, planning=AllOfThem(), token=""))


def test_tokens_that_the_model_does_not_take_are_refused_at_once(service: Service) -> None:
    for tokens in ([], [61], [-1], [0] * 65):
        with pytest.raises(RequestError):
            service.submit(tokens)


def test_a_link_that_is_slower_than_promised_is_named() -> None:
    served = Served(
        architecture=MODEL, planning=AllOfThem(), token="secret", promised_rates={"a": 1e15, "b": 1e15}
    )
    with Service(served) as service, devices_of(service.port, "secret") as devices:
        devices.start("a")
        until_there_are(service, {"a"})
        late = devices.start("b")
        assert late.wait(PATIENCE_S) == 2
        assert late.stderr is not None
        assert "Mbit/s were promised" in late.stderr.read()
        assert service.devices == ("a",)


def test_budgets_that_fit_no_plan_are_named_and_a_larger_device_helps() -> None:
    planning = BestPlans(architecture=MODEL, itemsize=8)
    served = Served(architecture=MODEL, planning=planning, seed=SEED, dtype="float64", token="secret")
    with Service(served) as service, devices_of(service.port, "secret") as devices:
        devices.start("small", "--memory", "1000")
        until_there_are(service, {"small"})
        with pytest.raises(ValueError, match="small"):
            service.submit(PROMPT).result(PATIENCE_S)
        devices.start("large")
        until_there_are(service, {"small", "large"})
        answered = service.submit(PROMPT).result(PATIENCE_S)
        assert answered.devices == ("large",)
        torch.testing.assert_close(answered.rows, alone(PROMPT), rtol=1e-9, atol=1e-12)


class Clueless(AllOfThem):
    """Foresees no time at all, so that nothing can be learned from what a request took."""

    def foresee(self, cluster: ClusterProfile, plan: ParallelPlan, num_tokens: int) -> Foreseen:
        return replace(super().foresee(cluster, plan, num_tokens), latency_ns=0.0)


def test_what_nothing_can_be_learned_from_keeps_no_request_waiting() -> None:
    said: list[str] = []
    served = Served(architecture=MODEL, planning=Clueless(), seed=SEED, dtype="float64", token="secret")
    with Service(served, said.append) as service, devices_of(service.port, "secret") as devices:
        devices.start("a")
        until_there_are(service, {"a"})
        for _ in range(2):
            answered = service.submit(PROMPT).result(SOON_S)
            torch.testing.assert_close(answered.rows, alone(PROMPT), rtol=1e-9, atol=1e-12)
    assert any("taught nothing" in line for line in said)


def test_a_device_that_dies_while_links_are_measured_keeps_no_request_waiting(
    service: Service, devices: Devices
) -> None:
    """An answer at another time than foreseen has links measured, behind its back."""
    for name in ("a", "b", "c"):
        devices.start(name)
        until_there_are(service, set(devices.processes))
    service.submit(PROMPT).result(PATIENCE_S)
    devices.processes["c"].kill()
    answered = service.submit(PROMPT).result(SOON_S)
    assert set(answered.devices) == {"a", "b"}
    torch.testing.assert_close(answered.rows, alone(PROMPT), rtol=1e-9, atol=1e-12)


class OthersThanTheFirst(AllOfThem):
    """The first device rests, and something happens to it while a plan is made."""

    def __init__(self, happens: Callable[[], None]) -> None:
        self._happens = happens

    def plan(self, cluster: ClusterProfile, num_tokens: int) -> Foreseen:
        del num_tokens
        self._happens()
        return self.shared(cluster, range(1, len(cluster.devices)))


def test_a_resting_device_that_dies_while_a_plan_is_put_in_force_is_taken_for_no_other() -> None:
    def kill_the_first() -> None:
        resting = devices.processes["a"]
        resting.kill()
        resting.wait()
        time.sleep(1.0)  # the service's end of its connection notices

    planning = OthersThanTheFirst(kill_the_first)
    served = Served(architecture=MODEL, planning=planning, seed=SEED, dtype="float64", token="secret")
    with Service(served) as service, devices_of(service.port, "secret") as devices:
        for name in ("a", "b", "c"):
            devices.start(name)
            until_there_are(service, set(devices.processes))
        answered = service.submit(PROMPT).result(SOON_S)
        assert (set(answered.devices), answered.num_attempts) == ({"b", "c"}, 1)
        torch.testing.assert_close(answered.rows, alone(PROMPT), rtol=1e-9, atol=1e-12)


def test_devices_that_lose_another_but_not_the_service_answer_without_it(
    service: Service, devices: Devices
) -> None:
    for name in ("a", "b", "c"):
        devices.start(name, module=SHUT_AGENT if name == "b" else AGENT)
        until_there_are(service, set(devices.processes))
    for _ in range(3):
        assert set(service.submit(PROMPT).result(PATIENCE_S).devices) == {"a", "b", "c"}
    devices.processes["b"].send_signal(signal.SIGUSR1)
    time.sleep(1.0)
    answered = service.submit(PROMPT).result(SOON_S)
    assert set(answered.devices) == {"a", "c"}
    assert answered.num_attempts <= 2  # links that are measured behind a request may have shown it
    torch.testing.assert_close(answered.rows, alone(PROMPT), rtol=1e-9, atol=1e-12)
    assert set(service.devices) == {"a", "b", "c"}


class Quick(AllOfThem):
    """Only devices and links that are not much slower than the first ones take part."""

    def plan(self, cluster: ClusterProfile, num_tokens: int) -> Foreseen:
        del num_tokens
        return self.shared(cluster, self.quick(cluster))

    def foresee(self, cluster: ClusterProfile, plan: ParallelPlan, num_tokens: int) -> Foreseen:
        found = super().foresee(cluster, plan, num_tokens)
        is_quick = set(plan.devices) <= set(self.quick(cluster))
        return found if is_quick else replace(found, latency_ns=1e15)

    def quick(self, cluster: ClusterProfile) -> list[int]:
        least = cluster.devices[0].product_rates[-1] / 100.0
        return [
            place
            for place, device in enumerate(cluster.devices)
            if device.product_rates[-1] > least
            and min(cluster.links[0][place].rate, cluster.links[place][0].rate) > 1e6
        ]


def slow_device(roster: Roster) -> None:
    slow = {max(roster.members): Speed(work=1e-4, around=1e-4)}
    roster.believe(Finding(speeds=slow, tile_ns={}, has_new_links=False))


def slow_link(roster: Roster) -> None:
    roster.links = dict.fromkeys(roster.links, LinkProfile(delay_ns=1e6, rate=1e3))


def cut_link(roster: Roster) -> None:
    roster.cuts.add(frozenset(roster.members))


@pytest.mark.parametrize("happens", [slow_device, slow_link, cut_link])
def test_a_device_that_rests_takes_part_again_once_it_or_its_link_has_recovered(
    happens: Callable[[Roster], None],
) -> None:
    """What is believed is what was true a while ago; the device and its links are in order by now."""
    served = Served(
        architecture=MODEL, planning=Quick(), seed=SEED, dtype="float64", token="secret", look_again_s=1.0
    )
    with Service(served, print) as service, devices_of(service.port, "secret") as devices:
        for name in ("a", "b"):
            devices.start(name)
            until_there_are(service, set(devices.processes))
        for _ in range(3):
            assert set(service.submit(PROMPT).result(PATIENCE_S).devices) == {"a", "b"}
        deadline_s = time.monotonic() + SOON_S
        for prompt in cycle((PROMPT[:2], PROMPT)):  # of another length each time: there is a new plan
            happens(service._roster)
            found = service.submit(prompt).result(PATIENCE_S)
            if len(found.devices) == 1:
                break
            # Links that were being measured behind the request before are known by that again: let that end.
            assert time.monotonic() < deadline_s, "both took part"
            time.sleep(SETTLED_S)
        while len(found.devices) == 1:
            assert time.monotonic() < deadline_s, "the other one was not looked at"
            found = service.submit(PROMPT).result(PATIENCE_S)
        torch.testing.assert_close(found.rows, alone(PROMPT), rtol=1e-9, atol=1e-12)

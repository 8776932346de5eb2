from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.galaxy_replay import Replay
from tests.workloads.galaxy.plan_samples import MBIT, cluster, clusters, device, small
from workloads.galaxy.engine.message import HEADER_BYTES
from workloads.galaxy.forecasting.forecast import forecast
from workloads.galaxy.forecasting.hybrid_schedule import attention_half, hybrid_layer, mlp_half
from workloads.galaxy.forecasting.pass_times import PlanTimes
from workloads.galaxy.forecasting.ring_clock import Hop, RingClock, Rounds
from workloads.galaxy.forecasting.ring_work import HEADER_BYTES as FORESEEN_HEADER_BYTES
from workloads.galaxy.forecasting.ring_work import ring_tiles, ring_work
from workloads.galaxy.forecasting.work_times import WorkTimes
from workloads.galaxy.plan import ParallelPlan, Strategy, whole_share
from workloads.galaxy.planning.heuristic import even_split
from workloads.galaxy.profile import ClusterProfile, DeviceProfile, LinkProfile
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.split import Span

GPT2 = small()
BERT = small(name="bert-base")
SHARING = (Strategy.HYBRID, Strategy.TENSOR)


def split(
    of: ClusterProfile, strategy: Strategy, num_tiles: int = 2, name: str = "gpt2-124m"
) -> ParallelPlan:
    return replace(even_split(small(name=name), of, strategy=strategy), num_tiles=num_tiles)


def pipeline(of: ClusterProfile) -> ParallelPlan:
    (whole,) = even_split(GPT2, cluster(device(1))).parts
    first = replace(whole, layers=Span(0, 1))
    return ParallelPlan(
        strategy=Strategy.PIPELINE, parts=(first, replace(whole, device=1, layers=Span(1, 3)))
    )


def test_a_message_is_as_long_as_devices_write_it() -> None:
    assert FORESEEN_HEADER_BYTES == HEADER_BYTES


def test_one_device_takes_the_sum_of_its_pieces() -> None:
    of = cluster(device(5))
    plan = split(of, Strategy.LOCAL)
    work = WorkTimes.of(GPT2, of.devices[0], plan.parts[0].share, 4)
    layer = work.entry_ns(24) + work.attention_ns(24 * 25 // 2) + work.output_ns(24) + work.mlp_ns(24)
    whole = (
        work.embedding_ns(24) + work.norm_ns(24) + 3 * (layer + 2 * work.connective_ns(24)) + work.head_ns(1)
    )
    found = forecast(GPT2, plan, of, 24, 4)
    assert found.latency_ns == pytest.approx(whole)
    assert found.compute_ns == pytest.approx((whole,))


def test_a_pipeline_takes_its_stages_and_its_link_one_after_the_other() -> None:
    of = cluster(device(5), device(5))
    alone = forecast(GPT2, split(cluster(device(5)), Strategy.LOCAL), of, 24, 4)
    found = forecast(GPT2, pipeline(of), of, 24, 4)
    link = of.links[0][1]
    more = link.time_ns(24 * GPT2.hidden_size * 4) + link.time_ns(4 * GPT2.vocab_size) + link.time_ns(24 * 8)
    assert found.latency_ns == pytest.approx(alone.latency_ns + more)


def test_equal_devices_without_links_to_speak_of_share_the_time() -> None:
    of = cluster(device(1), device(1), mbit=1e7, delay_ms=1e-6)
    alone = forecast(BERT, split(cluster(device(1)), Strategy.LOCAL, name="bert-base"), of, 128, 4)
    found = forecast(BERT, split(of, Strategy.HYBRID, 1, "bert-base"), of, 128, 4)
    assert found.latency_ns == pytest.approx(alone.latency_ns / 2, rel=0.15)


def test_a_slow_link_carries_all_of_the_time() -> None:
    of = cluster(device(1000), device(1000), mbit=10)
    plan = split(of, Strategy.HYBRID, 4)
    found = forecast(GPT2, plan, of, 96, 4)
    sent = (2 * 3 + 2 * 3 - 1) * 48 * GPT2.hidden_size * 4
    assert found.bound_ns == pytest.approx((sent + 11 * 4 * 28) / (10 * MBIT) * 1e9)
    assert found.bound_ns <= found.latency_ns <= 1.2 * found.bound_ns


@given(
    clusters(least=2),
    st.sampled_from((GPT2, BERT)),
    st.sampled_from((*SHARING, Strategy.SEQUENCE)),
    st.integers(1, 5),
    st.integers(1, 60),
)
def test_no_forecast_is_below_its_bound(
    of: ClusterProfile,
    architecture: TransformerArchitecture,
    strategy: Strategy,
    num_tiles: int,
    num_tokens: int,
) -> None:
    plan = replace(even_split(architecture, of, strategy=strategy), num_tiles=num_tiles)
    if strategy is Strategy.SEQUENCE:
        parts = tuple(replace(part, share=whole_share(architecture)) for part in plan.parts)
        plan = replace(plan, parts=parts)
    found = forecast(architecture, plan, of, num_tokens, 4)
    # Layers that shift by nearly the same are counted at once; the last sums of a decoder are counted for all
    # rows, of which its answer needs one.
    slowest = max(link.time_ns(4 * num_tokens * architecture.hidden_size) for row in of.links for link in row)
    latest = found.latency_ns * (1 + 1e-6) + (slowest if strategy is Strategy.HYBRID else 0.0)
    assert found.bound_ns <= latest
    if (
        architecture.is_decoder and strategy in SHARING
    ):  # else devices work on when the answer is there already
        assert max(found.compute_ns) <= latest
        assert max(found.link_ns) <= latest


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_bound_of_an_encoder_counts_nothing_that_its_answer_does_not_need(place: int) -> None:
    fast, slow = (LinkProfile(delay_ns=1e4, rate=rate * MBIT) for rate in (10_000, 10))
    links = tuple(
        tuple(slow if (sender, receiver) == (place, (place + 1) % 3) else fast for receiver in range(3))
        for sender in range(3)
    )
    of = replace(cluster(*[device(50)] * 3), links=links)
    shallow = replace(BERT, num_layers=1)
    plan = even_split(shallow, of, strategy=Strategy.HYBRID)
    found = forecast(shallow, plan, of, 96, 4)
    assert 0.8 * found.latency_ns <= found.bound_ns <= found.latency_ns


@pytest.mark.parametrize("mbit", [1000.0, 100.0])
def test_rows_of_a_decoder_hide_links_that_are_faster_than_computing(mbit: float) -> None:
    """The first device waits for nobody, and the second once for it: not in every layer."""
    architecture, num_rows = small(num_layers=12), 96
    of = cluster(device(1), device(1), mbit=mbit)
    parts = even_split(architecture, of, strategy=Strategy.SEQUENCE).parts
    plan = ParallelPlan(
        strategy=Strategy.SEQUENCE,
        parts=tuple(replace(part, share=whole_share(architecture)) for part in parts),
    )
    found = forecast(architecture, plan, of, num_rows, 4)
    own, link = num_rows // 2, of.links[0][1]
    once = link.time_ns(own * 2 * architecture.kv_size * 4 + HEADER_BYTES)
    assert max(found.link_ns) < max(found.compute_ns)
    assert found.link_ns[1] == 0
    ends = link.time_ns(num_rows * 8) + link.time_ns(4 * architecture.vocab_size)
    ends += WorkTimes.of(architecture, of.devices[1], plan.parts[1].share, 4).head_ns(1)
    assert found.latency_ns <= max(found.compute_ns) + once + ends


@pytest.mark.parametrize("num_tiles", [1, 4])
def test_keys_and_values_leave_tile_by_tile(num_tiles: int) -> None:
    """Once the first tile has entered a layer, a slow link never rests until all have come.

    Then the first goes through the layer and enters the next; of the last, all have to.
    """
    of, num_rows = cluster(device(1), device(1), mbit=10), 96
    plan = even_split(BERT, of, strategy=Strategy.SEQUENCE)
    parts = tuple(replace(part, share=whole_share(BERT)) for part in plan.parts)
    plan, own = replace(plan, parts=parts, num_tiles=num_tiles), num_rows // 2
    work, link = WorkTimes.of(BERT, of.devices[0], plan.parts[0].share, 4), of.links[0][1]
    tile = own // num_tiles
    sent = num_tiles * link.busy_ns(tile * 2 * BERT.kv_size * 4 + HEADER_BYTES) + link.delay_ns
    behind = work.attention_ns(tile * num_rows) + work.output_ns(tile) + work.mlp_ns(tile)
    behind += 2 * work.connective_ns(tile)
    layers = BERT.num_layers * (work.entry_ns(tile) + sent) + (BERT.num_layers - 1) * behind
    begin = link.time_ns(num_rows * 8) + work.embedding_ns(own) + work.norm_ns(own)
    found = forecast(BERT, plan, of, num_rows, 4)
    assert found.latency_ns == pytest.approx(begin + layers + num_tiles * behind)


@given(
    clusters(least=2), st.sampled_from(list(Strategy)), st.integers(0, 1), st.integers(0, 3), st.floats(1, 9)
)
def test_a_faster_device_or_link_never_makes_a_forecast_worse(
    of: ClusterProfile, strategy: Strategy, place: int, num_new: int, factor: float
) -> None:
    plan = pipeline(of) if strategy is Strategy.PIPELINE else split(of, strategy, 3)
    if strategy is Strategy.LOCAL:
        plan = replace(plan, parts=plan.parts[:1])
    before = forecast(GPT2, plan, of, 30, 4, num_new_tokens=num_new)
    for better in (faster_device(of, place, factor), faster_link(of, place, factor)):
        after = forecast(GPT2, plan, better, 30, 4, num_new_tokens=num_new)
        assert after.latency_ns <= before.latency_ns * (1 + 1e-9)


def faster_device(of: ClusterProfile, place: int, factor: float) -> ClusterProfile:
    def faster(one: DeviceProfile) -> DeviceProfile:
        rates = tuple(rate * factor for rate in one.product_rates)
        return replace(one, product_rates=rates, memory_rate=one.memory_rate * factor)

    devices = tuple(faster(one) if place == number else one for number, one in enumerate(of.devices))
    return replace(of, devices=devices)


def faster_link(of: ClusterProfile, place: int, factor: float) -> ClusterProfile:
    def faster(one: LinkProfile) -> LinkProfile:
        return replace(one, rate=one.rate * factor, delay_ns=one.delay_ns / factor)

    links = tuple(
        tuple(faster(link) if place == number else link for link in row)
        for number, row in enumerate(of.links)
    )
    return replace(of, links=links)


@given(clusters(least=2, most=3), st.integers(1, 4), st.integers(1, 40), st.sampled_from((GPT2, BERT)))
def test_layers_that_are_counted_at_once_take_what_they_take_one_by_one(
    of: ClusterProfile, num_tiles: int, num_tokens: int, architecture: TransformerArchitecture
) -> None:
    deep = replace(architecture, num_layers=12)
    plan = replace(even_split(deep, of, strategy=Strategy.HYBRID), num_tiles=num_tiles)
    times = PlanTimes.of(deep, plan, of, 4)
    tiles = ring_tiles(plan, num_tokens)
    work = ring_work(times.works, tiles)
    there = [[0.0] * len(spans) for spans in tiles]
    num = len(there)
    counted, one_by_one = RingClock(times.ring), RingClock(times.ring)
    arrivals = [[there[(place - step) % num] for place in range(num)] for step in range(num)]
    now = mlp_half(one_by_one, work, attention_half(one_by_one, work, arrivals))
    begun = mlp_half(counted, work, attention_half(counted, work, arrivals))
    for _ in range(11):
        now = hybrid_layer(one_by_one, work, now)
    then = counted.repeated(lambda ready: hybrid_layer(counted, work, ready), begun, 11)
    assert [*map(pytest.approx, now)] == then
    assert counted.busy_ns == pytest.approx(one_by_one.busy_ns)
    assert counted.link_busy_ns == pytest.approx(one_by_one.link_busy_ns)


@given(
    clusters(least=2, most=5),
    st.sampled_from((Strategy.HYBRID, Strategy.TENSOR, Strategy.SEQUENCE)),
    st.integers(1, 3),
    st.sampled_from((GPT2, BERT)),
    st.floats(0.2, 3.0),
)
def test_a_limit_ends_no_forecast_that_is_under_it(
    of: ClusterProfile, strategy: Strategy, num_tiles: int, architecture: TransformerArchitecture, part: float
) -> None:
    deep = replace(architecture, num_layers=9)
    plan = replace(even_split(deep, of, strategy=strategy), num_tiles=num_tiles)
    if strategy is Strategy.SEQUENCE:
        parts = tuple(replace(one, share=whole_share(deep)) for one in plan.parts)
        plan = replace(plan, parts=parts)
    whole = PlanTimes.of(deep, plan, of, 4).passed(30, 30).latency_ns
    limit = whole * part
    found = PlanTimes.of(deep, plan, of, 4, limit).passed(30, 30).latency_ns
    if limit >= whole:
        assert found == whole
    else:
        assert found >= limit


def test_rounds_of_all_places_are_what_each_place_does() -> None:
    of = cluster(*map(device, (4, 2, 1)), mbit=100)
    ring = PlanTimes.of(GPT2, even_split(GPT2, of, strategy=Strategy.TENSOR), of, 4).ring
    at_once, one_by_one = RingClock(ring), RingClock(ring)
    sizes, works = ((5000, 100, 40), (70, 9000, 3)), ((1e5, 3e6, 2e4), (7e5, 0.0, 9e5))
    hops = [
        Hop(
            busy_ns=tuple(link.busy_ns(size) for link, size in zip(ring, own, strict=True)),
            work_ns=work,
        )
        for own, work in zip(sizes, works, strict=True)
    ]
    for clock in (at_once, one_by_one):
        made = [clock.work(place, duration) for place, duration in enumerate((1e6, 2e6, 3e6))]
    at_once.around(Rounds.of(hops))
    for own, work in zip(sizes, works, strict=True):
        came = [one_by_one.send(place, made[place], size) for place, size in enumerate(own)]
        for place, duration in enumerate(work):
            one_by_one.wait(place, came[place - 1])
            made[place] = one_by_one.work(place, duration)
    assert [at_once.work(place, 0.0) for place in range(3)] == pytest.approx(made)
    assert at_once.busy_ns == pytest.approx(one_by_one.busy_ns)
    assert at_once.link_busy_ns == pytest.approx(one_by_one.link_busy_ns)


@pytest.mark.parametrize("architecture", [GPT2, BERT], ids=lambda one: one.family)
@pytest.mark.parametrize("mbit", [100, 1000])
@pytest.mark.parametrize("speeds", [(4, 4), (4, 2, 1), (4, 4, 4, 4)])
@pytest.mark.parametrize("num_tiles", [1, 2, 4])
def test_the_fixed_order_is_near_to_that_of_the_devices(
    architecture: TransformerArchitecture, mbit: float, speeds: tuple[int, ...], num_tiles: int
) -> None:
    of = cluster(*map(device, speeds), mbit=mbit)
    plan = replace(even_split(architecture, of, strategy=Strategy.HYBRID), num_tiles=num_tiles)
    times = PlanTimes.of(architecture, plan, of, 4)
    foreseen = times.passed(96, 96).latency_ns
    assert 0.9 <= foreseen / Replay(times, 96).run() <= 1.15


def test_generated_tokens_are_counted_one_by_one() -> None:
    of = cluster(device(5), device(2))
    for strategy in (*SHARING, Strategy.LOCAL):
        plan = split(of, strategy)
        plan = replace(plan, parts=plan.parts[:1]) if strategy is Strategy.LOCAL else plan
        prompt = forecast(GPT2, plan, of, 20, 4)
        found = forecast(GPT2, plan, of, 20, 4, num_new_tokens=5)
        # Only the last token is asked for its logits.
        assert found.decode_ns < found.latency_ns <= prompt.latency_ns + found.decode_ns
        twice = forecast(GPT2, plan, of, 20, 4, num_new_tokens=10)
        assert 2 <= twice.decode_ns / found.decode_ns <= 2.5

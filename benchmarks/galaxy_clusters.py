"""Random clusters and the five model shapes that plans are judged on."""

from dataclasses import replace
from random import Random

from workloads.galaxy.memory import Load, whole_bytes
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.profile import ClusterProfile, DeviceProfile, LinkProfile
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.ladder import named
from workloads.transformer.split import Span

ITEMSIZE = 4
MODELS = ("distilbert", "bert-large", "gpt2-774m", "opt-1.3b", "opt-2.7b")
_SMALL_PRODUCTS = (0.15, 0.42, 0.62, 0.79, 0.89, 0.95, 1.0)
"""Part of its full rate that a product of so many rows reaches on one core."""
_SMALL_ROWS = (1, 9, 18, 36, 72, 144, 288)
_MBIT = 1e6 / 8
_SPREAD = 20.0
"""The fastest device over the slowest."""
STRIDE = 1_000_003
"""Between the chances of a seed and of the next, where every cluster has its own."""


def shape_of(name: str) -> TransformerArchitecture:
    """A model's architecture; DistilBERT has half the layers of BERT-base (Sanh et al. 2019)."""
    if name == "distilbert":
        return replace(named("bert-base"), num_layers=6)
    return named(name)


def seeded(seed: int) -> Random:
    """Chance that comes again with the same seed."""
    return Random(seed)  # noqa: S311  # nothing is to be kept secret


def random_problem(random: Random, num_devices: int | None = None) -> PlanProblem:
    """One model on one cluster of 1 to 8 devices: unequal speeds, memory, links and delays."""
    architecture = shape_of(random.choice(MODELS))
    num = num_devices or random.randint(1, 8)
    longest = min(1024, architecture.max_length)
    new = random.choice((0, 0, 0, 8)) if architecture.is_decoder else 0
    load = Load(num_tokens=random.randint(16, longest - new), itemsize=ITEMSIZE, num_new_tokens=new)
    whole = whole_bytes(architecture, Span(0, architecture.num_layers), load.num_tokens, load)
    room = random.choice((10.0, 1.2, 0.8, 0.5))
    devices = tuple(
        random_device(random, f"device{place}", int(whole * room * random.uniform(0.6, 1.4)))
        for place in range(num)
    )
    return PlanProblem(
        architecture=architecture,
        cluster=ClusterProfile(devices=devices, links=random_links(random, num)),
        load=load,
    )


def random_device(random: Random, name: str, memory_bytes: int) -> DeviceProfile:
    """A device of 2 to 40 GFLOP/s, whose products of few rows are slower."""
    speed = 2e9 * _SPREAD ** random.random()
    return DeviceProfile(
        name=name,
        product_rows=_SMALL_ROWS,
        product_rates=tuple(part * speed for part in _SMALL_PRODUCTS),
        attention_rate=speed * random.uniform(0.3, 0.8),
        memory_rate=speed * random.uniform(0.3, 1.0),
        call_ns=random.uniform(5e3, 5e4),
        memory_bytes=memory_bytes,
        tile_ns=random.uniform(0.0, 5e4),
    )


def random_links(random: Random, num: int) -> tuple[tuple[LinkProfile, ...], ...]:
    """Links of 10 Mbit/s to 10 Gbit/s and 0.05 to 10 ms; half of the clusters have equal ones."""
    rate, delay = 10.0 ** random.uniform(1, 4) * _MBIT, 5e4 * 200.0 ** random.random()
    spread = random.choice((1.0, 4.0))

    def link() -> LinkProfile:
        return LinkProfile(
            delay_ns=delay * spread ** random.uniform(-1, 1),
            rate=min(max(rate * spread ** random.uniform(-1, 1), 10 * _MBIT), 10_000 * _MBIT),
            message_ns=2e4,
        )

    return tuple(tuple(link() for _ in range(num)) for _ in range(num))


def part_of(problem: PlanProblem, devices: tuple[int, ...]) -> PlanProblem:
    """The same problem for some of its devices."""
    known = problem.cluster
    cluster = ClusterProfile(
        devices=tuple(known.devices[device] for device in devices),
        links=tuple(tuple(known.links[sender][receiver] for receiver in devices) for sender in devices),
    )
    return problem.with_cluster(cluster)


def unhindered(cluster: ClusterProfile) -> ClusterProfile:
    """The same without what this machine itself adds to each tile and message, and with memory for all."""
    return replace(
        cluster,
        devices=tuple(replace(device, tile_ns=0.0, memory_bytes=1 << 40) for device in cluster.devices),
        links=tuple(tuple(replace(link, message_ns=0.0) for link in row) for row in cluster.links),
    )

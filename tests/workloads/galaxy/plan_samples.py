"""Small clusters and models that tests of plans are about."""

from dataclasses import replace

from hypothesis import strategies as st

from workloads.galaxy.profile import ClusterProfile, DeviceProfile, LinkProfile
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.ladder import named

MBIT = 1e6 / 8
ROOMY = 1 << 40


def small(
    num_layers: int = 3, heads: int = 6, name: str = "gpt2-124m", **sizes: int
) -> TransformerArchitecture:
    """A model of a family with few layers and heads."""
    head_size = 16
    defaults = {"hidden_size": heads * head_size, "ffn_size": 4 * heads * head_size, "vocab_size": 500}
    return replace(
        named(name),
        num_layers=num_layers,
        num_heads=heads,
        num_kv_heads=heads,
        head_size=head_size,
        **defaults | sizes,
    )


def device(speed: float, memory_bytes: int = ROOMY, name: str = "device") -> DeviceProfile:
    """A device of so many GFLOP/s."""
    return DeviceProfile(
        name=name,
        product_rows=(1, 16, 128),
        product_rates=(0.2 * speed * 1e9, 0.7 * speed * 1e9, speed * 1e9),
        attention_rate=0.5 * speed * 1e9,
        memory_rate=0.5 * speed * 1e9,
        call_ns=1e4,
        memory_bytes=memory_bytes,
    )


def cluster(*devices: DeviceProfile, mbit: float = 125.0, delay_ms: float = 0.1) -> ClusterProfile:
    """Devices with equal links."""
    link = LinkProfile(delay_ns=delay_ms * 1e6, rate=mbit * MBIT)
    return ClusterProfile(devices=devices, links=((link,) * len(devices),) * len(devices))


@st.composite
def clusters(draw: st.DrawFn, least: int = 1, most: int = 4) -> ClusterProfile:
    """Unequal devices with unequal links."""
    num = draw(st.integers(least, most))
    speeds = draw(st.lists(st.floats(1.0, 20.0), min_size=num, max_size=num))
    room = draw(st.lists(st.sampled_from((ROOMY, 3_000_000, 1_500_000, 900_000)), min_size=num, max_size=num))
    link = st.builds(LinkProfile, delay_ns=st.floats(5e4, 1e7), rate=st.floats(10 * MBIT, 10_000 * MBIT))
    links = tuple(tuple(draw(link) for _ in range(num)) for _ in range(num))
    devices = tuple(
        device(speed, memory, f"device{place}")
        for place, (speed, memory) in enumerate(zip(speeds, room, strict=True))
    )
    return ClusterProfile(devices=devices, links=links)

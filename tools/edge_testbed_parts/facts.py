"""A testbed in words: what a record must say, so that figures of other links are never taken for its own."""

from tools.edge_testbed_parts.quantity import rate_words, size_words, time_words
from tools.edge_testbed_parts.specification import Device, Link, Pair, Specification


def facts_of(asked: Specification) -> str:
    """Mode, limits of each device and link; no addresses, and one line."""
    parts = [f"{asked.mode}, {'emulated' if asked.is_emulated else 'real machines'}"]
    parts += [
        f"{device.name} {device_words(device)} {link_words(link)}"
        for device, link in zip(asked.devices, asked.links, strict=True)
    ]
    parts += [f"{'-'.join(pair.between)} {_pair_words(pair)}" for pair in asked.pairs]
    return "; ".join(" ".join(part.split()) for part in parts)


def device_words(device: Device) -> str:
    """Its limits; empty without any."""
    words = [
        f"cores {','.join(map(str, device.cores))}" if device.cores else "",
        f"quota {device.quota:g}" if device.quota is not None else "",
        f"memory {size_words(device.memory_bytes)}" if device.memory_bytes is not None else "",
        f"speed {device.flop_per_s / 1e9:g} GFLOP/s" if device.flop_per_s is not None else "",
    ]
    return " ".join(word for word in words if word)


def link_words(link: Link) -> str:
    """Its rates and delay."""
    rates = {"up": link.up_bit_per_s, "down": link.down_bit_per_s}
    words = [f"{name} {rate_words(rate) if rate else 'unlimited'}" for name, rate in rates.items()]
    return " ".join([*words, f"delay {time_words(link.delay_ns)}"])


def _pair_words(pair: Pair) -> str:
    rate = f"rate {rate_words(pair.rate_bit_per_s)}" if pair.rate_bit_per_s is not None else ""
    delay = f"delay {time_words(pair.delay_ns)}" if pair.delay_ns is not None else ""
    return f"{rate} {delay}"

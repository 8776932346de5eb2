"""What a testbed is and does at the moment, in lines and as JSON."""

from typing import Any

from tools.edge_testbed_parts.control_groups import forget_peak, peak_memory_bytes, throttled_ns
from tools.edge_testbed_parts.errors import TestbedError
from tools.edge_testbed_parts.facts import device_words, facts_of, link_words
from tools.edge_testbed_parts.network import address_of, hosts_of
from tools.edge_testbed_parts.parts import is_up, read_parts
from tools.edge_testbed_parts.quantity import size_words
from tools.edge_testbed_parts.run_folder import Testbed


def status_text(testbed: Testbed) -> str:
    """A line for the testbed, and one for each device."""
    asked = testbed.asked
    state = "up" if is_up(testbed) else "DOWN"
    lines = [f"{asked.name}: {state}, mode {asked.mode}, delays by {_delays_by(testbed)}"]
    for device, link in zip(asked.devices, asked.links, strict=True):
        where = device.host or address_of(asked, device.name)
        peak = _peak(testbed, device.name)
        held = "" if peak is None else f"; at most {size_words(peak)} held"
        lines.append(
            f"  {asked.node_name(device.name)}  {where}  {link_words(link)}; {device_words(device)}{held}"
        )
    return "\n".join(lines)


def status_json(testbed: Testbed) -> dict[str, Any]:
    """The same for programs."""
    asked = testbed.asked
    devices = [
        {
            "name": device.name,
            "node": asked.node_name(device.name),
            "address": device.host_address or address_of(asked, device.name),
            "memory_bytes": device.memory_bytes,
            "peak_memory_bytes": _peak(testbed, device.name),
            "throttled_ns": throttled_ns(testbed.groups[device.name])
            if device.name in testbed.groups
            else None,
        }
        for device in asked.devices
    ]
    return {
        "name": asked.name,
        "mode": asked.mode,
        "is_up": is_up(testbed),
        "folder": str(testbed.folder),
        "facts": facts_of(asked),
        "delays_by": _delays_by(testbed),
        "hosts": [asked.node_name(host) for host in hosts_of(asked)] if asked.is_emulated else [],
        "devices": devices,
    }


def peaks_forgotten(testbed: Testbed) -> bool:
    """Counts the memory of all devices anew; False where the kernel cannot."""
    return not [group for group in testbed.groups.values() if not forget_peak(group)]


def _peak(testbed: Testbed, name: str) -> int | None:
    return peak_memory_bytes(testbed.groups[name]) if name in testbed.groups else None


def _delays_by(testbed: Testbed) -> str:
    if not testbed.asked.is_emulated:
        return "the real network"
    try:
        return read_parts(testbed).delays_by
    except TestbedError:
        return "nobody"

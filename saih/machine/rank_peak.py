"""The maker's peak of what one rank uses of its node, in the precisions that torch really computes in."""

import os
from pathlib import Path

import torch

from saih.domain.point import Placement
from saih.machine.accelerator_peak import accelerator_peak_flops_per_s
from saih.machine.probe import text_of
from saih.machine.processor import max_clock_hz, online_cpus, parse_cpuinfo, read_topology
from saih.machine.vendor_peak import processor_peak_flops_per_s


def rank_peak_flops_per_s(placement: Placement, device: torch.device) -> dict[str, float]:
    """Peak by precision of this rank's accelerator or cores [FLOP/s]; empty where it is unknown."""
    return _accelerator(device) if device.type == "cuda" else _cores(placement)


def _accelerator(device: torch.device) -> dict[str, float]:
    return accelerator_peak_flops_per_s(torch.cuda.get_device_name(device))


def _cores(placement: Placement) -> dict[str, float]:
    visible = os.sched_getaffinity(0)
    processor = parse_cpuinfo(text_of(Path("/proc/cpuinfo")) or "")
    mine, node = read_topology(visible), read_topology(online_cpus())
    clock_hz = max_clock_hz(visible)
    if processor is None or mine is None or node is None or clock_hz is None:
        return {}
    # Hardware threads share the arithmetic units of their core; ranks without binding share the node.
    num_cores = min(placement.threads_per_rank, mine.num_cores, node.num_cores / placement.ranks_per_node)
    return processor_peak_flops_per_s(processor, clock_hz=clock_hz, num_cores=num_cores)

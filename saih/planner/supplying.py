"""What it changes in a plan that batches do not come from the data folder."""

from collections.abc import Iterator
from dataclasses import replace

from saih.domain.supply import Supply
from workloads.protocol import Cost


def supplied(cost: Cost, supply: Supply) -> Cost:
    """The cost of a point with its supply: what is made in memory needs no data set on disk."""
    if supply.input == "real":
        return cost
    return replace(
        cost,
        input_bytes=0,
        dataset_bytes=0,
        dataset_disk_bytes=0,
        dataset_files=0,
        dataset_core_s=0.0,
        dataset_memory_bytes=0,
        dataset_work="",
    )


def supply_refusal(cost: Cost, supply: Supply, workload: str) -> str:
    """Why a workload cannot be supplied so; empty where it can."""
    if supply.contradiction:
        return supply.contradiction
    if supply == Supply() or cost.dataset_bytes:
        return ""
    asked = "input: synthetic" if supply.input == "synthetic" else f"staging: {supply.staging}"
    return f"{workload} reads no data set, so {asked} says nothing; remove that key."


def supply_notes(supply: Supply) -> Iterator[str]:
    """What a user should know of where batches come from."""
    if supply.input == "synthetic":
        yield "input is synthetic: batches are made once in memory, and no data set is made or read."
    if supply.staging == "node":
        yield (
            "staging is node: every node copies what its ranks read to a folder of its own before the first "
            "point (staging_folder of the site file, else TMPDIR); the time is recorded beside each point."
        )

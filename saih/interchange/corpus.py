"""Public figures against which a number is held: what others reached, where, and who says so."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import combinations

from saih.interchange.accelerator import Accelerator, accelerator
from saih.interchange.mlperf_point import TRAINING_FLOP_PER_SAMPLE

SAME_BATCH = 1e-9
"""Local batches that differ by less, relatively, are equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One public result of CosmoFlow training at the size of MLPerf HPC."""

    system: str
    round: str
    device: Accelerator
    num_devices: int
    global_batch: int
    samples_per_s: float
    staging_share: float | None
    """Of the time to train; None where staging is no part of it, or is too short to tell."""
    citation: str
    folder: str
    """In the repository of the round's results."""

    @property
    def samples_per_device_s(self) -> float:
        """Samples/s of one device."""
        return self.samples_per_s / self.num_devices

    @property
    def flops_per_device_s(self) -> float:
        """FLOP/s of one device, by the arithmetic of the reference network."""
        return self.samples_per_device_s * TRAINING_FLOP_PER_SAMPLE

    @property
    def share_of_vendor_peak(self) -> float:
        """Of the maker's peak of the device at ``device.precision``."""
        return self.flops_per_device_s / self.device.peak_flops_per_s

    @property
    def name(self) -> str:
        """Such as ``Selene v1.0, 128 A100``."""
        return f"{self.system} {self.round}, {self.num_devices} {self.device.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicEfficiency:
    """How much of the ideal throughput more devices brought at the same batch on each device."""

    small: Submission
    large: Submission

    @property
    def efficiency(self) -> float:
        """Samples/s of a device at the large scale over that at the small one."""
        return self.large.samples_per_device_s / self.small.samples_per_device_s

    @property
    def name(self) -> str:
        """Such as ``Selene v1.0, 128 to 1024 A100``."""
        small, large = self.small, self.large
        return f"{small.system} {small.round}, {small.num_devices} to {large.num_devices} {small.device.name}"


@cache
def submissions() -> tuple[Submission, ...]:
    """All public results that are known."""
    text = resources.files("saih.interchange").joinpath("corpus.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text)
    return tuple(_submission(entry, content["citation"]) for entry in content["submission"])


@cache
def efficiencies() -> tuple[PublicEfficiency, ...]:
    """Pairs of one system and round whose batch on each device is the same."""
    return tuple(
        PublicEfficiency(small=small, large=large)
        for small, large in combinations(sorted(submissions(), key=lambda one: one.num_devices), 2)
        if (small.system, small.round, small.device) == (large.system, large.round, large.device)
        and small.num_devices < large.num_devices
        and abs(small.global_batch * large.num_devices / (large.global_batch * small.num_devices) - 1)
        < SAME_BATCH
    )


def _submission(entry: dict[str, object], citation: str) -> Submission:
    device = accelerator(str(entry["device"]))
    if device is None:
        raise ValueError(f"device {entry['device']} of {entry['folder']} has no entry in accelerators.toml")
    share = entry.get("staging_share")
    return Submission(
        system=str(entry["system"]),
        round=str(entry["round"]),
        device=device,
        num_devices=int(str(entry["num_devices"])),
        global_batch=int(str(entry["global_batch"])),
        samples_per_s=float(str(entry["samples_per_s"])),
        staging_share=None if share is None else float(str(share)),
        citation=citation.format(repository=entry["repository"], folder=entry["folder"]),
        folder=str(entry["folder"]),
    )

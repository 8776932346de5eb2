"""What the machine has room for."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Room on the machine; None where it is not known, which drops nothing."""

    memory_bytes_per_node: int | None = None
    device_memory_bytes: int | None = None
    """Of one GPU, which one rank uses."""
    disk_bytes: int | None = None
    """For all data sets of the sweep together, and what one point parks beside them."""
    cores_per_node: int | None = field(default=None, metadata={"came_later": True})
    gpus_per_node: int | None = field(default=None, metadata={"came_later": True})
    max_nodes: int | None = field(default=None, metadata={"came_later": True})
    """Of one job."""

"""One MLPerf HPC CosmoFlow run as a measured point."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from saih.domain.interval import median_interval
from saih.domain.system import Key, SystemPoint, key_of
from saih.interchange.accelerator import Accelerator, accelerator
from saih.interchange.mlperf_description import SystemDescription
from saih.interchange.mlperf_run import Run

TRAINING_FLOP_PER_SAMPLE = 192_090_785_280
"""Of the reference network (128^3 x 4 inputs, 5 convolutions of width 32 to 512): forward, gradients of all
weights, and gradients of all inputs but the first layer's. A multiply-add counts as 2."""
RESOLUTION, CHANNELS, WIDTH, DEPTH = 128, 4, 32, 1
NOT_TOLD = "not told by the log"


def _canonical(shape: Mapping[str, int]) -> str:
    return json.dumps(dict(shape), sort_keys=True, separators=(",", ":"))


REFERENCE_DATA = _canonical({"channels": CHANNELS, "resolution": RESOLUTION})
"""What a point asks of the data: the number of samples decides no rate, and is a fact of the point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much of a machine a run used; None is unknown."""

    num_nodes: int | None
    gpus_per_node: int | None
    num_ranks: int | None

    @property
    def num_gpus(self) -> int | None:
        """Accelerators of all nodes; 0 where the nodes have none."""
        if self.gpus_per_node == 0:
            return 0
        return (
            None
            if self.num_nodes is None or self.gpus_per_node is None
            else self.num_nodes * self.gpus_per_node
        )

    @property
    def num_devices(self) -> int | None:
        """GPUs, or whole nodes where they have none."""
        return self.num_nodes if self.num_gpus == 0 else self.num_gpus


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the user tells where logs do not."""

    scale: Scale
    precision: str = ""
    """Empty for unknown."""


def point_of(label: str, run: Run, description: SystemDescription, given: Given) -> SystemPoint | str:
    """The median rate over the epochs of a run with its 95 % interval; or why there is none, in words."""
    record_id = f"{label}/{run.source}"
    if not run.rates:
        return f"{record_id}: no epoch with a begin, an end and a number of samples."
    scale = scale_of(run, description, given.scale)
    rate = median_interval(run.rates)
    device = device_of(description, scale)
    return SystemPoint(
        key=_key(run, scale, given.precision),
        labels={
            "data": f"{RESOLUTION}^3 x {CHANNELS}, {run.train_samples} samples",
            "model": f"width {WIDTH}, depth {DEPTH}",
            **({} if scale.num_ranks is None else {"ranks": f"{scale.num_ranks} ranks"}),
        },
        axis_sizes={} if scale.num_ranks is None else {"ranks": float(scale.num_ranks)},
        samples_per_s=rate,
        flops_per_s=rate.scaled(TRAINING_FLOP_PER_SAMPLE),
        share_of_peak=None,
        step_ns=None if run.global_batch is None else rate.inverted(run.global_batch * 1e9),
        num_ranks=scale.num_ranks,
        num_nodes=scale.num_nodes,
        num_gpus=scale.num_gpus,
        joules_per_sample=None,
        record_id=record_id,
        measured_utc=_ended(run),
        device=device.name if device else description.accelerator or NOT_TOLD,
        placement_label=_placement(scale),
        global_batch=run.global_batch,
        run=record_id,
        facts={
            "staging": str(run.staging_place),
            "data set": f"{run.train_samples} samples of the benchmark",
        },
    )


def scale_of(run: Run, description: SystemDescription, given: Scale) -> Scale:
    """From the log, else from the description, else as given; ranks are GPUs where nothing else is told."""
    num_nodes = run.num_nodes or description.num_nodes or given.num_nodes
    gpus = next(
        (
            one
            for one in (run.gpus_per_node, description.gpus_per_node, given.gpus_per_node)
            if one is not None
        ),
        None,
    )
    all_gpus = num_nodes * gpus if num_nodes and gpus else None
    return Scale(
        num_nodes=num_nodes, gpus_per_node=gpus, num_ranks=run.num_ranks or given.num_ranks or all_gpus
    )


def device_of(description: SystemDescription, scale: Scale) -> Accelerator | None:
    """What does the arithmetic: the GPU, or the processor of nodes without one; None where it is unknown."""
    return accelerator(description.processor if scale.num_gpus == 0 else description.accelerator)


def _key(run: Run, scale: Scale, precision: str) -> Key:
    parts = {
        "workload": "cosmoflow",
        "data": REFERENCE_DATA,
        "model": _canonical({"depth": DEPTH, "width": WIDTH}),
        "precision": precision or "unknown precision",
        "exchange": "unknown",
    }
    if run.division == "open":
        parts["division"] = "open"  # it may have changed the network
    if scale.num_nodes is not None:
        parts["nodes"] = str(scale.num_nodes)
    if scale.num_nodes and scale.num_ranks and scale.num_ranks % scale.num_nodes == 0:
        parts["ranks_per_node"] = str(scale.num_ranks // scale.num_nodes)
    if run.global_batch and scale.num_ranks and run.global_batch % scale.num_ranks == 0:
        parts["batch_per_rank"] = str(run.global_batch // scale.num_ranks)
    return key_of(parts)


def _placement(scale: Scale) -> str:
    nodes = "nodes not told" if scale.num_nodes is None else f"{scale.num_nodes} nodes"
    gpus = "GPUs not told" if scale.num_gpus is None else f"{scale.num_gpus} GPUs"
    return f"{nodes}, {gpus}"


def _ended(run: Run) -> str:
    return datetime.fromtimestamp(run.stopped_ms / 1e3, UTC).isoformat() if run.stopped_ms else ""

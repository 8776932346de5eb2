"""The runs of one MLPerf HPC CosmoFlow submission as one measured point."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from saih.domain.interval import Interval, median, median_interval
from saih.domain.quantity import percent, with_si
from saih.domain.system import Key, SystemPoint, key_of
from saih.interchange.accelerator import accelerator
from saih.interchange.mlperf_description import SystemDescription
from saih.interchange.mlperf_run import Run

TRAINING_FLOP_PER_SAMPLE = 192_090_785_280
"""Of the reference network (128^3 x 4 inputs, 5 convolutions of width 32 to 512): forward, gradients of all
weights, and gradients of all inputs but the first layer's. A multiply-add counts as 2."""
RESOLUTION, CHANNELS, WIDTH, DEPTH = 128, 4, 32, 1
NOT_TOLD = "not told by the log"


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


def point_of(
    label: str, runs: Sequence[Run], description: SystemDescription, given: Scale
) -> SystemPoint | str:
    """The median rate over the epochs of all runs with its 95 % interval; or why there is none, in words."""
    first = runs[0]
    sizes = {(run.global_batch, run.train_samples, run.num_nodes, run.num_ranks) for run in runs}
    if len(sizes) > 1:
        return f"{label}: its runs have different batches, samples, nodes or ranks; give each kind a folder."
    rates = [rate for run in runs for rate in run.rates]
    if not rates:
        return f"{label}: no epoch with a begin, an end and a number of samples."
    scale = scale_of(first, description, given)
    rate = median_interval(rates)
    device = accelerator(description.accelerator or ("" if scale.num_gpus else description.processor))
    return SystemPoint(
        key=_key(first, scale),
        labels={
            "data": f"{RESOLUTION}^3 x {CHANNELS}, {first.train_samples} samples",
            "model": f"width {WIDTH}, depth {DEPTH}",
            **({} if scale.num_ranks is None else {"ranks": f"{scale.num_ranks} ranks"}),
        },
        axis_sizes={} if scale.num_ranks is None else {"ranks": float(scale.num_ranks)},
        samples_per_s=rate,
        flops_per_s=rate.scaled(TRAINING_FLOP_PER_SAMPLE),
        share_of_peak=None,
        step_ns=None if first.global_batch is None else rate.inverted(first.global_batch * 1e9),
        num_ranks=scale.num_ranks,
        num_nodes=scale.num_nodes,
        num_gpus=scale.num_gpus,
        joules_per_sample=None,
        record_id=label,
        measured_utc=_ended(runs),
        device=device.name if device else description.accelerator or NOT_TOLD,
        placement_label=_placement(scale),
        global_batch=first.global_batch,
        run=label,
        facts=_facts(runs, rate, description, scale),
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


def share_of_vendor_peak(rate: Interval, description: SystemDescription, scale: Scale) -> Interval | None:
    """Of the makers' peak of all devices; None where device or number of devices is unknown."""
    device = accelerator(description.processor if scale.num_gpus == 0 else description.accelerator)
    if device is None or scale.num_devices is None:
        return None
    return rate.scaled(TRAINING_FLOP_PER_SAMPLE / (device.peak_flops_per_s * scale.num_devices))


def staging_share(runs: Sequence[Run]) -> float | None:
    """Mean over runs of staging over the time to train; None where no run tells."""
    shares = [share for run in runs if (share := run.staging_share) is not None]
    return sum(shares) / len(shares) if shares else None


def _key(run: Run, scale: Scale) -> Key:
    parts = {
        "workload": "cosmoflow",
        "data": _canonical({"channels": CHANNELS, "resolution": RESOLUTION, "samples": run.train_samples}),
        "model": _canonical({"depth": DEPTH, "width": WIDTH}),
        "precision": NOT_TOLD,
        "exchange": NOT_TOLD,
    }
    if scale.num_nodes is not None:
        parts["nodes"] = str(scale.num_nodes)
    if scale.num_nodes and scale.num_ranks and scale.num_ranks % scale.num_nodes == 0:
        parts["ranks_per_node"] = str(scale.num_ranks // scale.num_nodes)
    if run.global_batch and scale.num_ranks and run.global_batch % scale.num_ranks == 0:
        parts["batch_per_rank"] = str(run.global_batch // scale.num_ranks)
    return key_of(parts)


def _canonical(shape: dict[str, int | None]) -> str:
    return json.dumps(shape, sort_keys=True, separators=(",", ":"))


def _facts(
    runs: Sequence[Run], rate: Interval, description: SystemDescription, scale: Scale
) -> dict[str, str]:
    facts = {
        "runs": str(len(runs)),
        "epochs": str(rate.count),
        "staging": " / ".join(sorted({str(run.staging_place) for run in runs})),
    }
    if (share := staging_share(runs)) is not None:
        facts["staging over time to train"] = percent(share, 3)
    if times := [run.time_to_train_ms for run in runs if run.time_to_train_ms]:
        facts["time to train, median"] = with_si(median(times) / 1e3, "s")
    if errors := [run.quality for run in runs if run.quality is not None]:
        facts["mean absolute error at the end, median"] = f"{median(errors):.4f}"
    if (peak := share_of_vendor_peak(rate, description, scale)) is not None:
        facts["share of the maker's peak"] = percent(peak.value, 3)
    slow = sum(len(run.slow_epochs) for run in runs)
    facts["epochs beyond 1.5 x the median of their run"] = f"{slow} of {rate.count}"
    return facts


def _placement(scale: Scale) -> str:
    nodes = "nodes not told" if scale.num_nodes is None else f"{scale.num_nodes} nodes"
    gpus = "GPUs not told" if scale.num_gpus is None else f"{scale.num_gpus} GPUs"
    return f"{nodes}, {gpus}"


def _ended(runs: Sequence[Run]) -> str:
    ends = [run.stopped_ms for run in runs if run.stopped_ms]
    return datetime.fromtimestamp(max(ends) / 1e3, UTC).isoformat() if ends else ""

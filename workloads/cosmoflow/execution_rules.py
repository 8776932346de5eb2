"""Which executions of CosmoFlow's step a rank cannot do, whatever is installed on its machine."""

from collections.abc import Iterator

from augment.problem import ProblemError
from workloads.execution import Execution, settled
from workloads.precision import Precision
from workloads.tunable import RankSetting

_GPU_FORMATS = {
    Precision.TF32: "products in tf32 are done by GPUs only: use float32 or bfloat16",
    Precision.FLOAT16: "training in float16 scales its loss on GPUs only: use bfloat16",
}


def check_execution(execution: Execution, setting: RankSetting) -> None:
    """Do nothing for an execution that such a rank may be able to do.

    Raises:
        ProblemError: otherwise, with all that it cannot do and what would do.
    """
    reasons = list(_reasons(settled(execution, setting.precision), setting))
    if reasons:
        raise ProblemError(f"{'; '.join(reasons)}.")


def _reasons(chosen: Execution, setting: RankSetting) -> Iterator[str]:
    number_format, is_cpu = Precision.named(chosen.precision), setting.device == "cpu"
    if is_cpu and number_format in _GPU_FORMATS:
        yield f"precision is {number_format} on device cpu, but {_GPU_FORMATS[number_format]}"
    if chosen.graph == "step":
        yield from _graph_reasons(setting)
    if setting.degrees.spatial_parallel > 1 and setting.exchange == "none":
        yield (
            f"spatial_parallel is {setting.degrees.spatial_parallel} with exchange none, but each rank has "
            "a part of the gradients of its samples only: use exchange ddp or horovod"
        )
    if chosen.compiler != "none" and setting.degrees.spatial_parallel > 1:
        yield (
            f"compiler is {chosen.compiler} with spatial_parallel {setting.degrees.spatial_parallel}, but "
            "messages between slabs have no place in a compiled network: use none"
        )
    if chosen.threads and not is_cpu:
        yield f"threads is {chosen.threads} on device {setting.device}, but they are those of a CPU: use 0"
    elif chosen.threads > setting.num_threads:
        yield (
            f"threads is {chosen.threads}, but a rank of the placement has {setting.num_threads}: use as "
            "many at most, or raise threads_per_rank"
        )


def _graph_reasons(setting: RankSetting) -> Iterator[str]:
    if setting.device == "cpu":
        yield "graph is step on device cpu, but steps are recorded on GPUs only: use none"
    if setting.exchange != "none":
        yield (
            f"graph is step with exchange {setting.exchange}, but sums of gradients are timed by the host, "
            "which a recorded step does without: use graph none, or a single rank"
        )
    elif setting.degrees.spatial_parallel > 1:
        yield (
            f"graph is step with spatial_parallel {setting.degrees.spatial_parallel}, but messages between "
            "slabs are sent by the host: use none"
        )

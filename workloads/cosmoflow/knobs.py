"""Which settings of CosmoFlow's step are worth a trial on a device, in the order of trial."""

from collections.abc import Iterator

import torch

from workloads.precision import Precision
from workloads.tuning import Knob, TuningFacts

_GPU_FORMATS = (Precision.BFLOAT16, Precision.FLOAT16, Precision.TF32)
_BUCKETS_MIB = (1, 5, 100)


def knobs(facts: TuningFacts) -> tuple[Knob, ...]:
    """Settings by what they usually decide: the number format first, what takes long to prepare last."""
    return tuple(_gpu_knobs(facts) if facts.device != "cpu" else _cpu_knobs(facts))


def _gpu_knobs(facts: TuningFacts) -> Iterator[Knob]:
    if facts.may_change_precision:
        yield _narrower(_GPU_FORMATS, facts)
    yield Knob(name="kernels", values=("own",))
    yield Knob(name="layout", values=("channels_first",))
    yield Knob(name="optimizer", values=("fused",))
    yield Knob(name="inputs", values=("counts",))
    if facts.num_ranks == 1:
        yield Knob(name="graph", values=("step",))
    if facts.has_exchange:
        yield Knob(name="bucket_mib", values=_BUCKETS_MIB)
    yield Knob(name="compiler", values=("inductor",))


def _cpu_knobs(facts: TuningFacts) -> Iterator[Knob]:
    if facts.may_change_precision and has_fast_bfloat16():
        yield _narrower((Precision.BFLOAT16,), facts)
    yield Knob(name="kernels", values=("own",))
    yield Knob(name="layout", values=("channels_first",))
    yield Knob(name="optimizer", values=("fused", "loop"))
    yield Knob(name="inputs", values=("counts",))
    if facts.num_threads > 1:
        yield Knob(name="threads", values=(facts.num_threads // 2,))
    if facts.has_exchange:
        yield Knob(name="bucket_mib", values=_BUCKETS_MIB)
    yield Knob(name="compiler", values=("inductor",))


def has_fast_bfloat16() -> bool:
    """Whether the CPU has instructions for products of it; without them it is slower than float32."""
    cpu = torch.cpu
    return bool(cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported())  # noqa: SLF001 - no public way


def _narrower(formats: tuple[Precision, ...], facts: TuningFacts) -> Knob:
    """Those that take no more memory than what the point was planned with."""
    most = Precision.named(facts.precision).itemsize
    values = tuple(one.value for one in formats if one.itemsize <= most and one != facts.precision)
    return Knob(name="precision", values=values)

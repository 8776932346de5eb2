"""What a step costs by the operations that were counted in it, where a record holds them."""

from dataclasses import replace

from saih.domain.counted import NOTE, CountedOperation, from_note
from saih.domain.record import ADDITIVE_PHASES, Record
from workloads.protocol import Cost, Operation, OpKind

_KINDS = frozenset(OpKind)


def counted_cost(record: Record, declared: Cost) -> Cost:
    """``declared`` with the operations that really ran in its place; itself where none were counted.

    An application declares what its step should do; a framework, or the application, may do more. Ranks that
    share a model do unlike parts of it, of which those of the least busy one were kept: there the declared
    operations of the mean rank stand.
    """
    if declared.ranks_per_replica > 1 or declared.given is not None:
        return declared
    found = from_note(record.result.notes.get(NOTE, ""))
    operations = tuple(
        _operation(one) for one in found if one.phase in ADDITIVE_PHASES and one.kind in _KINDS
    )
    return replace(declared, operations=operations) if operations else declared


def _operation(counted: CountedOperation) -> Operation:
    """One operation stands for all that are alike: its floor is then that of one, times their number."""
    kind = OpKind(counted.kind)
    return Operation(
        name=f"{counted.num_kernels} x {kind} of {counted.channels:.4g} channels",
        phase=counted.phase,  # type: ignore[arg-type]  # the caller checked that it is one
        kind=kind,
        flops=counted.flops,
        memory_bytes=counted.memory_bytes,
        num_kernels=counted.num_kernels,
        channels=counted.channels,
    )

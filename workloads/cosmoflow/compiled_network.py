"""The network made into programs by TorchInductor before the first step, stage by stage.

A stage is a program of its own, so that its gradients are ready, and exchanged, before those of the stage
below are computed; one program of the whole network would hand over all of them at the end. Nothing is left
to torch's silent ways back: a part that cannot be compiled is an error, not a step that runs as before.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import torch
from torch import nn

from augment.problem import ProblemError

_MOST_PROGRAMS = 256
"""Of one function, for all networks that live; torch's own limit of 8 is soon reached by stages."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def compile_stages(stages: nn.ModuleList, device: torch.device) -> None:
    """Let each stage be compiled, in place, when it is called first; parameters keep their names.

    Torch's mode is the default one: others try kernels of products, of which there are hardly any here.

    Raises:
        ProblemError: where there is nothing to compile with.
    """
    _require_compiler(device)
    _keep_programs()
    for stage in stages:
        stage.compile(fullgraph=True, dynamic=False)


def compiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The function, compiled when it is called first."""
    return torch.compile(function, fullgraph=True, dynamic=False)


@contextmanager
def compiling(device: torch.device) -> Iterator[None]:
    """Around the first passes: what cannot be compiled is refused by name.

    Raises:
        ProblemError: with the compiler's first line.
    """
    from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException  # noqa: PLC0415 - 1 s
    from torch._inductor import async_compile, config  # noqa: PLC0415 - as slow

    # No helpers on a CPU: they would stay, and the ranks of a node compile at the same time anyway.
    num_helpers = 1 if device.type == "cpu" else config.compile_threads
    try:
        with config.patch(compile_threads=num_helpers), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of what torch does while it looks through the network
            yield
    except (TorchDynamoException, FailOnRecompileLimitHit) as error:
        raise ProblemError(f"compiler is inductor, but it fails: {_first_line(error)}; use none.") from error
    finally:
        async_compile.shutdown_compile_workers()


def _first_line(error: Exception) -> str:
    """What went wrong; behind "backend raised" stands what it raised."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return " ".join(lines[:2] if lines[0].endswith("raised:") else lines[:1])


def forget_programs() -> None:
    """Let go of all that was compiled in this process."""
    torch.compiler.reset()


def _keep_programs() -> None:
    from torch._dynamo import config  # noqa: PLC0415 - 1 s, and few need it

    config.recompile_limit = max(config.recompile_limit, _MOST_PROGRAMS)
    config.fail_on_recompile_limit_hit = True


def _require_compiler(device: torch.device) -> None:
    """Do nothing where TorchInductor finds what it makes programs with."""
    if device.type == "cpu":
        _require_cpp_compiler()
        return
    from torch.utils._triton import has_triton  # noqa: PLC0415 - few need it

    if not has_triton():
        raise ProblemError("compiler is inductor, but there is no working Triton; install it, or use none.")


def _require_cpp_compiler() -> None:
    from torch._inductor.cpp_builder import get_cpp_compiler  # noqa: PLC0415 - 1 s, and few need it
    from torch._inductor.exc import InvalidCxxCompiler  # noqa: PLC0415 - as slow

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as error:
        raise ProblemError(
            "compiler is inductor, but there is no C++ compiler; install g++, name one in CXX, or use none."
        ) from error

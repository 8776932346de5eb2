"""The compiled library of kernels for processors, made on first use by the machine's C++ compiler.

It is compiled for the processor at hand and kept below the user's cache, under a name that tells source,
flags and processor; the threads are those of torch's own OpenMP, so that none compete.
"""

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch

_SOURCE = Path(__file__).with_name("native.cpp")
_COMPILERS = ("c++", "g++", "clang++")
_FLAGS = ("-std=c++17", "-O3", "-march=native", "-ffp-contract=fast", "-fPIC", "-shared", "-fopenmp")
_LIMIT_S = 120


class KernelError(RuntimeError):
    """Kernels that cannot be had here; the message says why and what to do."""


@functools.cache
def library() -> ctypes.CDLL:
    """The library, compiled if it is not there yet.

    Raises:
        KernelError: without a C++ compiler, or when it fails, or when the result cannot be loaded.
    """
    compiler = next((path for path in map(shutil.which, _COMPILERS) if path), None)
    if compiler is None:
        raise KernelError(
            f"no C++ compiler ({', '.join(_COMPILERS)}) is there to make SAIH's own kernels; "
            "install one, or run with kernels: torch."
        )
    command = (compiler, *_FLAGS, str(_SOURCE), *_openmp_of_torch(), "-Wl,--as-needed")
    path = _folder() / f"{_key(command)}.so"
    if not path.exists():
        _compile(command, path)
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise KernelError(f"{path} cannot be loaded: {error}; remove it, and it is made again.") from error


def _openmp_of_torch() -> tuple[str, ...]:
    """Torch's own copy: a second one would keep threads of its own, spinning beside torch's."""
    return tuple(str(path) for path in sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))[:1])


def _folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "saih" / "kernels"


def _key(command: tuple[str, ...]) -> str:
    """What decides the library: nodes of several kinds may share one home."""
    parts = (_SOURCE.read_bytes(), "\0".join(command).encode(), _processor().encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:24]


def _processor() -> str:
    """What the processor can do, as Linux tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _compile(command: tuple[str, ...], path: Path) -> None:
    """Into a file of its own, then renamed: ranks that come together all find a whole one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=path.parent) as folder:
            made = Path(folder) / path.name
            done = subprocess.run(
                [*command, "-o", str(made)], capture_output=True, text=True, timeout=_LIMIT_S, check=False
            )
            if done.returncode:
                raise KernelError(
                    f"{command[0]} could not make SAIH's own kernels: {done.stderr.strip()[-800:]}; "
                    "use another compiler, or run with kernels: torch."
                )
            made.rename(path)
    except subprocess.TimeoutExpired as error:
        raise KernelError(f"{command[0]} did not make SAIH's own kernels within {_LIMIT_S} s.") from error
    except OSError as error:
        raise KernelError(
            f"SAIH's own kernels cannot be kept in {path.parent}: {error}; "
            "set XDG_CACHE_HOME to a folder that you may write."
        ) from error

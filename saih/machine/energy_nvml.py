"""NVML: the energy counter that an NVIDIA GPU keeps of itself (Volta and newer), since its driver began.

Through the package nvidia-ml-py where it is installed; reading needs no privilege.
"""

import importlib
from types import ModuleType
from typing import Any

from saih.domain.energy import EnergyPart
from saih.machine.energy_counter import Counter, Counters

MODULE = "pynvml"
_SHORTEST_S = 1.0
"""The total moves every 20 to 100 ms (PETSc, PetscLogGpuEnergyMeter): over a second, a tenth at the most."""


def find_nvml(device_uuid: str) -> Counters:
    """The counter of the GPU with this UUID (with or without ``GPU-``, as torch gives it)."""
    try:
        counter = _counter(device_uuid)
    except ValueError as error:
        return Counters(counters=(), reasons={EnergyPart.GPUS: str(error)})
    return Counters(counters=(counter,), reasons={})


def num_countable() -> int:
    """How many GPUs of this node keep a counter that can be read.

    Raises:
        ValueError: in words, where none can be looked for.
    """
    nvml = _library()
    try:
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError as error:
        raise ValueError(f"NVML: {error}") from error
    return sum(_is_countable(nvml, handle) for handle in handles)


def _is_countable(nvml: ModuleType, handle: Any) -> bool:  # Any: NVML's handle
    try:
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except nvml.NVMLError:
        return False
    return not _is_divided(nvml, handle)


def _counter(device_uuid: str) -> Counter:
    bare = device_uuid.removeprefix("GPU-").removeprefix("MIG-")
    if not bare:
        raise ValueError("the rank has no GPU with a UUID")
    nvml = _library()
    handle = _handle(nvml, bare)
    if _is_divided(nvml, handle):
        raise ValueError("the GPU is divided (MIG), and its counter is of the whole GPU")

    def read_uj() -> int:
        try:
            return 1000 * int(nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
        except nvml.NVMLError as error:
            raise ValueError(f"NVML gives no energy of GPU-{bare}: {error}") from error

    read_uj()
    return Counter(
        part=EnergyPart.GPUS, name=f"GPU-{bare}", read_uj=read_uj, range_uj=None, shortest_s=_SHORTEST_S
    )


def _handle(nvml: ModuleType, bare: str) -> Any:  # Any: NVML's handle
    try:
        return nvml.nvmlDeviceGetHandleByUUID(f"GPU-{bare}")
    except nvml.NVMLError as error:
        problem = f"NVML does not know GPU-{bare}: {error}"
    try:
        nvml.nvmlDeviceGetHandleByUUID(f"MIG-{bare}")
    except nvml.NVMLError:
        raise ValueError(problem) from None
    raise ValueError("the rank has a part of a GPU (MIG), and the counter is of the whole GPU")


def _is_divided(nvml: ModuleType, handle: Any) -> bool:  # Any: NVML's handle
    try:
        return bool(nvml.nvmlDeviceGetMigMode(handle)[0])
    except nvml.NVMLError:  # GPUs that cannot be divided have no such mode
        return False


def _library() -> ModuleType:
    """The package, with its library begun; beginning it again is free."""
    try:
        nvml = importlib.import_module(MODULE)
    except ImportError as error:
        raise ValueError("nvidia-ml-py is not installed: pip install nvidia-ml-py") from error
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise ValueError(f"NVML cannot be used: {error}") from error
    return nvml

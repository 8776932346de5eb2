"""For how long the clock of a GPU was held down, as NVML counts it since the driver began.

Through the package nvidia-ml-py where it is installed; ``nvmlDeviceGetViolationStatus`` counts nanoseconds by
policy (NVML API reference, nvmlPerfPolicyType_t). Reading needs no privilege.
"""

import importlib
from collections.abc import Callable, Mapping

from saih.domain.contention import Pressure
from saih.machine.energy_nvml import MODULE

ReadViolations = Callable[[], Mapping[Pressure, int]]
_POLICIES = {Pressure.GPU_POWER: "NVML_PERF_POLICY_POWER", Pressure.GPU_THERMAL: "NVML_PERF_POLICY_THERMAL"}


def no_violations() -> Mapping[Pressure, int]:
    """Of a rank without a GPU."""
    return {}


def violations_of(device_uuid: str) -> ReadViolations:
    """Reads the totals of the GPU with this UUID (with or without ``GPU-``); nothing where none are told."""
    try:
        nvml = importlib.import_module(MODULE)
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByUUID(f"GPU-{device_uuid.removeprefix('GPU-')}")
    # Without package, driver or whole GPU there is nothing to read, which is no failure of the point; the
    # errors of NVML are classes of a package that may be absent.
    except Exception:
        return no_violations

    def read() -> Mapping[Pressure, int]:
        found = {}
        for pressure, policy in _POLICIES.items():
            try:
                status = nvml.nvmlDeviceGetViolationStatus(handle, getattr(nvml, policy))
                found[pressure] = int(status.violationTime)
            except (nvml.NVMLError, AttributeError):
                continue
        return found

    return read

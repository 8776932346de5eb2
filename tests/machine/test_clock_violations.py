"""Clocks held down: no GPU is here, so a stand-in for pynvml tells what its documentation says."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from saih.domain.contention import Pressure
from saih.machine.clock_violations import no_violations, violations_of


class StandIn(ModuleType):
    """NVML with one GPU that counts what power holds down, and has no count of heat."""

    NVML_PERF_POLICY_POWER, NVML_PERF_POLICY_THERMAL = 0, 1

    class NVMLError(Exception):
        """As pynvml's."""

    def nvmlInit(self) -> None:  # noqa: N802
        """Begins."""

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        if uuid != "GPU-1234":
            raise self.NVMLError(uuid)
        return uuid

    def nvmlDeviceGetViolationStatus(self, handle: str, policy: int) -> SimpleNamespace:  # noqa: N802
        if policy == self.NVML_PERF_POLICY_THERMAL:
            raise self.NVMLError(handle)
        return SimpleNamespace(violationTime=42)


def test_without_the_library_or_the_gpu_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert violations_of("1234")() == {}
    monkeypatch.setitem(sys.modules, "pynvml", StandIn("pynvml"))
    assert violations_of("another")() == {}
    assert no_violations() == {}


def test_what_the_gpu_counts_is_told_and_the_rest_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", StandIn("pynvml"))
    assert violations_of("1234")() == violations_of("GPU-1234")() == {Pressure.GPU_POWER: 42}

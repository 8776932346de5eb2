"""The tiny worker and driver of tests/launch, for this process and for those that it starts."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

LAUNCH = Path(__file__).parents[1] / "launch"


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(LAUNCH))
    monkeypatch.setenv("PYTHONPATH", str(LAUNCH))
    return importlib.import_module("tiny_points")


@pytest.fixture
def driver_path() -> Path:
    return LAUNCH / "tiny_driver.py"

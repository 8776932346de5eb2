"""Emulated devices for benchmarks: network namespaces whose links are held to a rate by the kernel.

Needs root (or user namespaces): ``tools/edge_testbed`` says so where it cannot make them.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TESTBED = ROOT / "tools" / "edge_testbed"
_LIMIT_S = 3600
_NAME = "bench"
"""Of testbeds, before the number of the process that they are for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """Devices that stand; programs run one on each."""

    file: Path
    name: str

    def host(self, device: str) -> str:
        """The name of a device that no other testbed has."""
        return f"{self.name}-{device}"

    def run(self, module: str, asked: Mapping[str, Any]) -> Any:  # Any: as JSON has it
        """What the first device printed as its last line of JSON, of a module that all of them run.

        Raises:
            RuntimeError: when one of them fails, with what was said.
        """
        command = [str(TESTBED), "run", str(self.file), "--", sys.executable, "-m", module, json.dumps(asked)]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(
                f"{module} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
            )
        return json.loads(done.stdout.strip().splitlines()[-1])

    def change(self, device: str, *options: str) -> None:
        """Change a device or its link while it is in use."""
        _do("change", str(self.file), device, *options)


@contextmanager
def devices(names: Sequence[str], rate_mbit: float, delay_ms: float = 0.0, **more: Any) -> Iterator[Rig]:
    """So many devices on links of one rate; gone at the end, or when the next ones are made.

    ``more`` has further entries of devices, each a list with one value for each.
    """
    name = f"{_NAME}{os.getpid()}"
    lines = [f"name: {name}", "mode: real", "devices:"]
    for place, device in enumerate(names):
        entries = {"name": device} | {key: values[place] for key, values in more.items()}
        lines.append(f"  - {{{', '.join(f'{key}: {value}' for key, value in entries.items())}}}")
    delay = f", delay: {delay_ms:g} ms" if delay_ms else ""
    lines += ["links:", f"  default: {{rate: {rate_mbit:g} Mbit/s{delay}}}"]
    with tempfile.TemporaryDirectory(prefix="saih-galaxy-") as folder:
        file = Path(folder) / "testbed.yaml"
        file.write_text("\n".join(lines) + "\n")
        _remove_left()
        _do("up", str(file))
        try:
            yield Rig(file=file, name=name)
        finally:
            _do("down", str(file))


def _remove_left() -> None:
    """Remove testbeds of benchmarks that were killed."""
    asked = [str(TESTBED), "status", "--json"]
    found = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    for testbed in json.loads(found or "[]"):
        number = testbed["name"].removeprefix(_NAME)
        if testbed["name"] == f"{_NAME}{number}" and number.isdigit() and not Path("/proc", number).exists():
            with suppress(RuntimeError):  # another benchmark was faster
                _do("down", testbed["name"])


def _do(*words: str) -> None:
    done = subprocess.run([str(TESTBED), *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"edge_testbed {words[0]} failed: {done.stderr[-2000:]}")


def _environment() -> dict[str, str]:
    paths = os.environ.get("PYTHONPATH", "")
    return os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{paths}" if paths else str(ROOT),
    }

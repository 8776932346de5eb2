"""The input of training: how samples are stored, what loader threads read of them, and whether steps wait.

``python -m benchmarks.training --part input [--quick]``. Rates are of unpacked counts, read through the
product's reader with its checks, against plain reading of a file of the same folder.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.bars import judge
from benchmarks.training_input_counts import cube
from benchmarks.training_input_layouts import CODECS, LAYOUTS, SLAB_PARTS, layout_rates
from benchmarks.training_input_threads import num_processors, thread_rates
from benchmarks.training_input_waits import waits_of
from saih.machine.page_cache import drop

SIDES, QUICK_SIDES = (32, 64, 128, 256), (32, 128)
NUM_TURNS, QUICK_TURNS = 3, 1
PRESETS_THAT_WAIT: Mapping[str, Sequence[str]] = {
    "laptop": (),
    "share-of-peak": ("run.execution={precision: bfloat16}",),
}
"""With what is asked besides: no search before each point, and short steps, which wait most."""
_CHEAP = ("base.data.steps=4", "base.data.force_mesh=1", "timing.relative_width=0.01")
"""Universes of few steps pack as others do, and take seconds."""
_FULL = (*_CHEAP, "timing.budget_s=4")
_QUICK = (*_CHEAP, "timing.budget_s=1.5", "axes.data.resolution=[16, 64]", "axes.model.width=[4, 32]")
MOST_WAIT_PERCENT = 2.0
_PROBE_BYTES = 2**27
_BLOCK_BYTES = 2**22


def main(arguments: Sequence[str]) -> int:
    """Print tables and bars; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer sizes and points, within 50 s")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="saih-input-") as name:
        _show_storage(Path(name))
        _show_layouts(Path(name), is_quick=options.quick)
    _show_threads(is_quick=options.quick)
    rest = _QUICK if options.quick else _FULL
    presets = list(PRESETS_THAT_WAIT.items())[: 1 if options.quick else None]
    shown = [_waited(name, (*rest, *asked)) for name, asked in presets]
    return 0 if all(shown) else 1


def _show_storage(folder: Path) -> None:
    """What reading alone gives here, at 4 MiB a read."""
    path = folder / "probe"
    path.write_bytes(bytes(range(256)) * (_PROBE_BYTES // 256))
    warm = max(_plain_rate(path) for _ in range(3))
    cold = max((_plain_rate(path) for _ in range(3) if drop(path)), default=None)
    path.unlink()
    print(f"plain reading of {folder.parent}: warm {_in_mb(warm)} MB/s, cold {_in_mb(cold)} MB/s")


def _plain_rate(path: Path) -> float:
    buffer, num_bytes = bytearray(_BLOCK_BYTES), 0
    start_s = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            num_bytes += count
    return num_bytes / (time.perf_counter() - start_s)


def _show_layouts(folder: Path, *, is_quick: bool) -> None:
    print(f"\n{'sample':<10} {'chunks':<20} {'codec':<16} {'ratio':>6} {'warm':>7} {'cold':>7} "
          f"{f'1/{SLAB_PARTS} of planes':>15}  [MB/s]")  # fmt: skip
    for side in QUICK_SIDES if is_quick else SIDES:
        sample = cube(side)
        for layout in LAYOUTS:
            for codec in CODECS:
                rates = layout_rates(folder, sample, layout, codec, QUICK_TURNS if is_quick else NUM_TURNS)
                print(
                    f"{f'{side}^3 x 4':<10} {layout:<20} {codec:<16} {rates.ratio:>6.2f} "
                    f"{_in_mb(rates.warm_bytes_per_s):>7} {_in_mb(rates.cold_bytes_per_s):>7} "
                    f"{_in_mb(rates.slab_bytes_per_s):>15}",
                    flush=True,
                )


def _show_threads(*, is_quick: bool) -> None:
    sample = cube(128)
    numbers = [number for number in (1, 2, 4, 8) if number <= max(2, num_processors())]
    rates = thread_rates(sample, numbers, 16 if is_quick else 64)
    told = ", ".join(f"{number}: {_in_mb(rate)} MB/s" for number, rate in rates.items())
    print(f"\nloader threads on {num_processors()} processors, 128^3 x 4: {told}")
    samples_per_s = rates[1] / sample.nbytes
    print(f"one thread feeds {samples_per_s:.0f} samples/s of 128^3 x 4 ({sample.nbytes / 1e6:.1f} MB each)")


def _waited(preset: str, rest: Sequence[str]) -> bool:
    print(
        f"\n{preset:<24} {'step [ms]':>10} {'a batch [ms]':>13} {'wait [%]':>9} {'mean [%]':>9}  cache",
        flush=True,
    )
    waits = waits_of(preset, rest)
    for wait in waits:
        print(
            f"{wait.words:<24} {wait.step_ms:>10.2f} {wait.produce_ms:>13.2f} {wait.median_percent:>9.2f} "
            f"{wait.mean_percent:>9.2f}  {wait.cache_state}"
        )
    worst = max((wait.median_percent for wait in waits), default=float("nan"))
    return judge(f"input wait, {preset}", worst, "% of the median step", "<", MOST_WAIT_PERCENT)


def _in_mb(bytes_per_s: float | None) -> str:
    """Whole MB/s; a dash for what was not measured: a file stayed in the page cache."""
    return "-" if bytes_per_s is None else f"{bytes_per_s / 1e6:.0f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

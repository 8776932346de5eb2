import json
from pathlib import Path

import pytest

from saih.domain.errors import DamagedData, UsageError
from saih.domain.series import SeriesKind
from saih.interchange.mllog_series import read_mllog_series
from tests.interchange.mlperf_logs import line, run_lines, write_log


def scales(root: Path, *, is_weak: bool = False, told: bool = True) -> Path:
    """Runs on 8, 16 and 32 devices, two of each."""
    for nodes in (2, 4, 8):
        folder = root / "Example" / "results" / f"sys_n{nodes}" / "cosmoflow"
        for number in (1, 2):
            lengths = [99, 80 / nodes + number / 10, 80 / nodes + number / 10]
            samples = 1000 * nodes if is_weak else 1000
            counts = {"nodes": nodes, "gpus": 4} if told else {"nodes": None, "gpus": None}
            write_log(folder / f"result_{number}.txt", run_lines(lengths, samples=samples, **counts))
        systems = root / "Example" / "systems"
        systems.mkdir(exist_ok=True)
        about = {"accelerator_model_name": "A100", "accelerators_per_node": "4", "framework": "F 1"}
        (systems / f"sys_n{nodes}.json").write_text(json.dumps(about))
    return root / "Example" / "results"


def test_a_folder_of_several_scales_gives_epochs_and_runs_with_their_repeats(tmp_path: Path) -> None:
    epoch, run = read_mllog_series(scales(tmp_path))
    assert epoch.name == "Example cosmoflow: epoch over devices"
    assert (epoch.axis, epoch.kind, epoch.unit) == ("devices", SeriesKind.STRONG, "s")
    assert epoch.sizes == (8.0, 16.0, 32.0)
    assert epoch.values == (
        pytest.approx((40.1, 40.2)), pytest.approx((20.1, 20.2)), pytest.approx((10.1, 10.2)),
    )  # fmt: skip
    assert epoch.facts["environment"] == "A100"
    assert epoch.facts["global batch"] == "8"
    assert [one.place for one in epoch.whole[:2]] == [
        "sys_n2/cosmoflow/result_1.txt", "sys_n2/cosmoflow/result_2.txt",
    ]  # fmt: skip
    assert run.sizes == epoch.sizes
    assert run.values[0][0] > epoch.values[0][0]


def test_samples_that_grow_with_the_devices_are_weak_scaling(tmp_path: Path) -> None:
    assert read_mllog_series(scales(tmp_path, is_weak=True))[0].kind is SeriesKind.WEAK


def test_logs_without_a_scale_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"sys_n2/cosmoflow/result_1.txt: neither the log"):
        read_mllog_series(scales(tmp_path, told=False))


def test_a_damaged_log_and_an_aborted_run_take_no_part_and_the_damaged_one_is_named(tmp_path: Path) -> None:
    root = scales(tmp_path)
    bad = root / "sys_n2" / "cosmoflow" / "result_3.txt"
    write_log(bad, [":::MLLOG {broken"])
    write_log(
        root / "sys_n2" / "cosmoflow" / "result_4.txt", run_lines([9, 50, 50], gpus=4, status="aborted")
    )
    epoch, run = read_mllog_series(root)
    assert "line 1" in epoch.remarks[0]
    assert "result_3.txt" in epoch.remarks[0]
    assert len(epoch.values[0]) == 3
    assert len(run.values[0]) == 2
    assert any('result_4.txt: the run ended as "aborted"' in remark for remark in epoch.remarks)
    for log in root.rglob("*.txt"):
        if log != bad:
            log.unlink()
    with pytest.raises(DamagedData, match="line 1"):
        read_mllog_series(root)


def test_epochs_without_an_end_are_named(tmp_path: Path) -> None:
    root = scales(tmp_path)
    lines = run_lines([9, 50, 50])
    cut = next(place for place, text in enumerate(lines) if '"eval_start"' in text)
    ends = ('"eval_start"', '"epoch_stop"')
    kept = [
        text for place, text in enumerate(lines) if place > cut + 5 or not any(end in text for end in ends)
    ]
    write_log(root / "sys_n2" / "cosmoflow" / "result_3.txt", kept)
    epoch, _ = read_mllog_series(root)
    assert any("result_3.txt: 1 epoch without an end" in remark for remark in epoch.remarks)


def test_a_log_whose_clock_went_backwards_takes_no_part_and_is_named(tmp_path: Path) -> None:
    root = scales(tmp_path)
    lines = [
        line(100, "run_start"),
        line(100, "epoch_start", epoch_num=1),
        line(90, "epoch_stop", epoch_num=1),
        line(91, "epoch_start", epoch_num=2),
        line(110, "epoch_stop", epoch_num=2),
        line(110, "run_stop", status="success"),
    ]
    write_log(root / "sys_n2" / "cosmoflow" / "result_3.txt", lines)
    epoch, _ = read_mllog_series(root)
    assert len(epoch.values[0]) == 2
    assert any("line 3" in one and "10 s before it starts" in one for one in epoch.remarks)

import numpy as np
import pytest

from benchmarks.calibration import Evidence, coverage, fit_calibration, made_up_evidence
from benchmarks.public_series_corpus import find_file, make_tasks, read_series
from benchmarks.public_series_scores import LARGEST_ERROR, errors_of, judged
from saih.domain.errors import SaihError

HEAD = "series_id,scaling,x,statistic,repeat,y,flag\n"


def written(folder, rows):
    path = folder / "series.csv"
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def test_extremes_copies_and_other_problems_are_no_measurements(tmp_path):
    rows = [f"lab|a,weak,{size},value,1,{10 + size}," for size in (1, 2, 4, 8, 16)]
    rows += [
        "lab|a,weak,16,value,2,26,copy of repeat 1",
        "lab|a,weak,16,max of runs,3,99,",
        "lab|a,weak,8,value,2,900,other problem size",
        "lab|a,weak,4,value,2,20,",
        "lab|b,size,1,value,1,1,",
    ]
    (only,) = read_series(written(tmp_path, rows))
    assert only.sizes.tolist() == [1, 2, 4, 8, 16]
    assert only.values.tolist() == [11, 12, 17, 18, 26]
    assert (only.name, only.source, only.kind) == ("lab|a", "lab", "weak")


def test_tasks_foresee_later_points_up_to_eight_times_the_largest_known(tmp_path):
    rows = [f"lab|a,size,{size},value,1,{size}," for size in (1, 2, 3, 4, 8, 32, 64)]
    tasks = make_tasks(read_series(written(tmp_path, rows)))
    assert [(task.num_trained, task.targets.tolist()) for task in tasks] == [
        (4, [8, 32]),
        (5, [32, 64]),
        (6, [64]),
    ]
    found = judged(tasks)
    assert found.factor.tolist() == [2, 8, 4, 8, 2]
    assert found.weights(found.source == "lab").sum() == pytest.approx(1)


def test_a_missing_file_or_column_is_named(tmp_path):
    with pytest.raises(SaihError, match="--series FILE"):
        find_file(tmp_path / "none.csv")
    path = tmp_path / "bad.csv"
    path.write_text("series_id,x\n", encoding="utf-8")
    with pytest.raises(SaihError, match="no column flag, scaling"):
        read_series(path)


def test_forecasts_that_are_no_number_count_as_the_largest_error():
    errors = errors_of([[0.0, float("nan")], [float("-inf"), 9.0]], np.array([0.5, 0.0, 0.0, 0.0]))
    assert errors.tolist() == [0.5, LARGEST_ERROR, LARGEST_ERROR, LARGEST_ERROR]


def test_fitted_constants_hold_the_level_on_draws_that_they_never_saw():
    generator = np.random.default_rng(5)
    calibration = fit_calibration([made_up_evidence(120, generator)])
    assert 0.84 <= coverage(made_up_evidence(120, generator), calibration, 0.90) <= 0.96


def test_coverage_weighs_predictions():
    part = Evidence(doubts=np.ones((2, 6)), errors=np.array([0.0, 100.0]), weights=np.array([0.8, 0.2]))
    assert coverage(part, fit_calibration([part]), 0.5) in (pytest.approx(0.8), pytest.approx(1.0))

import numpy as np
import pytest

from saih.analyzer.repeats import medians_by_size


@pytest.mark.parametrize("sizes", [[4.0, 1.0, 2.0], [2.0, 1.0, 2.0, 2.0, 1.0], [3.0, 3.0], [5.0], []])
def test_each_size_counts_once_with_the_median_of_its_values(sizes):
    values = np.arange(len(sizes)) ** 2.0
    found, medians = medians_by_size(sizes, values)
    assert found.tolist() == sorted(set(sizes))
    assert medians.tolist() == [np.median(values[np.array(sizes) == size]) for size in found]

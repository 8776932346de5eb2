"""Which cosmologies are simulated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmology.dataset_error import DatasetError
from cosmology.parameters import Parameters, box_mpc_per_h, draw_targets, parameters_of


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"matter_density": -0.3}, r"matter_density is -0.3; give 0.05 to 1\."),
        ({"matter_density": float("nan")}, "matter_density is nan"),
        ({"sigma8": 0.0}, r"sigma8 is 0.0; give 0.1 to 3\."),
        ({"spectral_index": 5.0}, "spectral_index is 5.0"),
        ({"hubble_km_per_s_per_mpc": 0.7}, "give 20 to 200 km/s/Mpc"),
        ({"baryon_density": 0.4}, "baryon_density 0.4 is no part of matter_density 0.3"),
    ],
)
def test_parameters_outside_the_physical_range_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        Parameters(**change)


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**41 - 1))
def test_every_universe_has_parameters_within_ten_per_cent_and_a_box_that_is_not_small(
    seed: int, universe: int
) -> None:
    parameters = parameters_of(draw_targets(seed, universe))
    for value, centre in zip(parameters.physical, (0.30, 0.80, 0.96, 70.0), strict=True):
        assert 0.9 * centre <= value <= 1.1 * centre
    assert box_mpc_per_h(288, parameters) >= 256

"""Which redshifts channels show."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cosmology.redshifts import MAX_CHANNELS, REDSHIFT_ORDER, REDSHIFTS, simulated_redshifts


def test_the_first_channels_are_the_reference_and_all_are_different() -> None:
    assert REDSHIFTS == REDSHIFT_ORDER[:4] == (0.0, 0.5, 1.5, 3.0)
    assert len(set(REDSHIFT_ORDER)) == MAX_CHANNELS
    assert min(REDSHIFT_ORDER) == 0
    assert max(REDSHIFT_ORDER) == 3


def test_each_further_redshift_halves_a_widest_gap_in_scale_factor() -> None:
    for count in range(4, MAX_CHANNELS):
        ladder = sorted(1 / (1 + redshift) for redshift in REDSHIFT_ORDER[:count])
        widest = max(end - begin for begin, end in pairwise(ladder))
        added = 1 / (1 + REDSHIFT_ORDER[count])
        below = max(value for value in ladder if value < added)
        above = min(value for value in ladder if value > added)
        assert abs(above - below - widest) < 1e-12
        assert abs((below + above) / 2 - added) < 1e-12


def test_leading_channels_share_the_runs_of_4_8_and_16_outputs() -> None:
    runs = [len(simulated_redshifts(REDSHIFT_ORDER[:count])) for count in range(1, MAX_CHANNELS + 1)]
    assert runs == [4] * 4 + [8] * 4 + [16] * 8


@given(st.lists(st.sampled_from([*REDSHIFT_ORDER, 0.1, 2.0, 5.0]), min_size=1, max_size=16, unique=True))
def test_a_data_sets_channels_are_the_first_of_its_run(listed: list[float]) -> None:
    assert simulated_redshifts(tuple(listed))[: len(listed)] == tuple(listed)

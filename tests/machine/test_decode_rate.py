import numpy as np
import pytest

from saih.machine.decode_rate import CODECS, decode_name, decode_rungs


@pytest.mark.parametrize("codec", CODECS)
def test_a_sample_is_decoded_to_the_logarithms_of_its_counts(codec: str) -> None:
    rung = decode_rungs(codec)[0]
    call = rung.ways[0]().call
    call()
    _, found, decoded = call.args  # type: ignore[attr-defined]  # a partial of the decoder
    assert rung.size == rung.work == found.nbytes
    assert 0.9 < found.mean() < 1.1
    assert decoded.dtype == np.float32
    assert np.allclose(decoded, np.log1p(found.astype(np.float64)))


def test_codecs_are_variants_of_one_kind_over_growing_samples() -> None:
    assert len({decode_name(codec).variant for codec in CODECS}) == len(CODECS)
    for codec in CODECS:
        sizes = [rung.size for rung in decode_rungs(codec)]
        assert sizes == sorted(set(sizes))

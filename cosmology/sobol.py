"""Sobol points of four dimensions at any address: they fill the cube more evenly than random draws.

Direction numbers of Joe and Kuo 2008 (doi:10.1137/070709359, set new-joe-kuo-6), points in Gray-code order
(Antonov and Saleev 1979), as ``scipy.stats.qmc.Sobol`` without scrambling gives them. A digital shift
(Cranley-Patterson in base 2) keeps the evenness, and makes each seed's points its own.
"""

BITS = 64
"""Binary digits of a coordinate; addresses are below 2^64."""

_POLYNOMIALS = ((0, 0, ()), (1, 0, (1,)), (2, 1, (1, 3)), (3, 1, (1, 3, 1)))
"""Degree, inner coefficients as bits, and first direction numbers of each dimension after the first."""
NUM_DIMENSIONS = len(_POLYNOMIALS)


def sobol_point(index: int) -> tuple[int, int, int, int]:
    """Point ``index`` of the sequence, its coordinates in units of 2^-64."""
    gray, place = index ^ (index >> 1), 0
    point = [0] * NUM_DIMENSIONS
    while gray:
        if gray & 1:
            point = [value ^ column[place] for value, column in zip(point, _DIRECTIONS, strict=True)]
        gray, place = gray >> 1, place + 1
    first, second, third, fourth = point
    return (first, second, third, fourth)


def _directions(degree: int, inner: int, first: tuple[int, ...]) -> tuple[int, ...]:
    """Direction numbers of one dimension, scaled so that digit ``k`` stands at its place.

    m_k = 2 a_1 m_{k-1} ^ 4 a_2 m_{k-2} ^ ... ^ 2^s m_{k-s} ^ m_{k-s}; of the first dimension all are 1.
    """
    numbers = list(first) if degree else [1] * BITS
    while len(numbers) < BITS:
        oldest = numbers[-degree]
        value = oldest ^ (oldest << degree)
        for step in range(1, degree):
            if inner >> (degree - 1 - step) & 1:
                value ^= numbers[-step] << step
        numbers.append(value)
    return tuple(number << (BITS - 1 - place) for place, number in enumerate(numbers))


_DIRECTIONS = tuple(_directions(*polynomial) for polynomial in _POLYNOMIALS)

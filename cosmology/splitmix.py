"""Counter-based random numbers: splitmix64 hashes of integers, so every draw is a pure function of its name.

Finaliser and increment of splitmix64: Steele, Lea and Flood, OOPSLA 2014, doi:10.1145/2660193.2660195.
"""

_MASK = (1 << 64) - 1
INCREMENT = 0x9E3779B97F4A7C15
FIRST_FACTOR = 0xBF58476D1CE4E5B9
SECOND_FACTOR = 0x94D049BB133111EB


def splitmix64(value: int) -> int:
    """The 64-bit hash of a 64-bit number."""
    value = (value + INCREMENT) & _MASK
    value = ((value ^ (value >> 30)) * FIRST_FACTOR) & _MASK
    value = ((value ^ (value >> 27)) * SECOND_FACTOR) & _MASK
    return value ^ (value >> 31)


def hash_of(*numbers: int) -> int:
    """One 64-bit hash of a sequence of non-negative numbers below 2^64; their order counts."""
    state = 0
    for number in numbers:
        state = splitmix64(state ^ splitmix64(number))
    return state


def signed(value: int) -> int:
    """The two's complement reading of a 64-bit number, as tensors of int64 hold it."""
    return value - (1 << 64) if value >= 1 << 63 else value


def shuffled(place: int, size: int, *name: int) -> int:
    """Where ``place`` of ``range(size)`` goes in the shuffle with this name: each place to another one.

    Four Feistel rounds of the hash, walked until back in the range (Black and Rogaway 2002, cycle walking):
    any entry of a shuffle of any size without the others.
    """
    half = ((size - 1).bit_length() + 1) // 2
    key = hash_of(*name)
    while True:
        left, right = place >> half, place & ((1 << half) - 1)
        for turn in range(4):
            left, right = right, left ^ (hash_of(key, turn, right) & ((1 << half) - 1))
        place = (left << half) | right
        if place < size:
            return place

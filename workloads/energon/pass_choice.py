"""Which of those that stand in line take part in the next pass, and with how many of their tokens."""

from collections.abc import Sequence

from workloads.energon.sequence_progress import SequenceProgress

Choice = dict[SequenceProgress, int]
"""Tokens of each sequence that is in the pass."""


def packed_choice(line: Sequence[SequenceProgress], *, most: int, max_rows: int) -> Choice:
    """The first in line, one token of all that decode, and tokens of prompts as far as there is room.

    At most ``most`` sequences with ``max_rows`` tokens together.
    """
    chosen = {line[0]: 1}
    for sequence in line:
        if sequence.is_decoding and len(chosen) < min(most, max_rows):
            chosen[sequence] = 1
    num_left = max_rows - len(chosen)
    for sequence in line:
        if num_left and (sequence in chosen or len(chosen) < most):
            num_given = chosen.get(sequence, 0)
            num_more = min(num_left, sequence.num_missing - num_given)
            chosen[sequence] = num_given + num_more
            num_left -= num_more
    return chosen


def padded_choice(line: Sequence[SequenceProgress], *, most: int, max_rows: int) -> Choice:
    """The first in line and the next of its kind: beside a prompt, whoever decodes would get its length.

    At most ``most`` sequences, and ``max_rows`` rows when all are as long as the longest.
    """
    chosen: Choice = {}
    longest = 0
    for sequence in line:
        if sequence.is_decoding != line[0].is_decoding:
            continue
        num_rows = min(sequence.num_missing, max_rows)
        longest = max(longest, num_rows)
        if chosen and (len(chosen) == most or longest * (len(chosen) + 1) > max_rows):
            break
        chosen[sequence] = num_rows
    return chosen

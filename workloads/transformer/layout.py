"""Where the tokens of several sequences lie in the rows that all linear layers work on; arithmetic only."""

from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Rows of a batch, one sequence after the other.

    Packed, each sequence has as many rows as new tokens. Padded (``padded_to``), each has the same number of
    rows: its tokens first, padding behind them, which no token ever sees.
    """

    lengths: tuple[int, ...]
    """New tokens of each sequence, at least 1."""
    past: tuple[int, ...] = ()
    """Tokens of each that lie in the cache already; empty where there are none."""
    padded_to: int | None = None

    @property
    def num_sequences(self) -> int:
        """How many sequences."""
        return len(self.lengths)

    @property
    def num_rows(self) -> int:
        """Rows that linear layers and links work on."""
        return sum(self.lengths) if self.padded_to is None else self.padded_to * len(self.lengths)

    @property
    def starts(self) -> tuple[int, ...]:
        """The first row of each sequence."""
        if self.padded_to is not None:
            return tuple(range(0, self.num_rows, self.padded_to))
        return (0, *accumulate(self.lengths[:-1]))

    @property
    def last_rows(self) -> tuple[int, ...]:
        """The row of the last token of each sequence."""
        return tuple(start + length - 1 for start, length in zip(self.starts, self.lengths, strict=True))

    @property
    def past_lengths(self) -> tuple[int, ...]:
        """Tokens of each sequence in the cache."""
        return self.past or (0,) * len(self.lengths)

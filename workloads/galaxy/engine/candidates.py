"""The most likely token of each row, where each device knows logits of a part of the words, or of some rows.

Devices tell each other only the greatest logit of each row and its place: 16 bytes.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor


class NotFiniteError(ArithmeticError):
    """Logits that predict nothing; the request fails alone."""


def candidates(logits: Float[Tensor, "rows words"], first_word: int) -> Float[Tensor, "rows 2"]:
    """The greatest of each row and its place in the vocabulary, on the host. Both are whole in float64."""
    places = logits.argmax(dim=-1, keepdim=True)  # NaN counts as the greatest
    return torch.cat((logits.gather(-1, places).double(), places.double() + first_word), dim=1).cpu()


def candidates_room(num_rows: int) -> Float[Tensor, "rows 2"]:
    """Host memory for those of so many rows."""
    return torch.zeros((num_rows, 2), dtype=torch.float64)


def best_of(
    told: Sequence[tuple[Sequence[int], Float[Tensor, "some 2"]]], num_rows: int
) -> Int[Tensor, " rows"]:
    """The token of each row; of equal logits the first word. ``told``: of which rows, and candidates.

    Raises:
        NotFiniteError: where one is NaN or infinity: what overflowed predicts nothing.
    """
    best = torch.full((num_rows, 2), -torch.inf, dtype=torch.float64)
    for rows, each in told:
        known = best[list(rows)]
        is_as_good = (each[:, 0] == known[:, 0]) & (each[:, 1] < known[:, 1])
        is_better = (each[:, 0] > known[:, 0]) | is_as_good | each[:, 0].isnan()
        best[list(rows)] = torch.where((is_better & ~known[:, 0].isnan())[:, None], each, known)
    if not best[:, 0].isfinite().all():
        raise NotFiniteError("logits are not finite; use a dtype with more range.")
    return best[:, 1].to(torch.int64)

"""What is wanted of a forward pass."""

from enum import StrEnum


class Want(StrEnum):
    """What the last stage gives."""

    ALL_ROWS = "all_rows"
    """Logits [rows, vocabulary] of every new token (of an encoder: hidden states [rows, hidden]), packed."""
    LAST_ROWS = "last_rows"
    """Logits [sequences, vocabulary] of each sequence's last token (of an encoder: its first's state)."""
    NEXT_TOKENS = "next_tokens"
    """Token ids [sequences] of the greatest logits of LAST_ROWS, the lowest among equals. Decoders only."""

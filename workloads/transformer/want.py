"""What is wanted of a forward pass."""

from enum import StrEnum


class Want(StrEnum):
    """What the last stage gives."""

    ALL_ROWS = "all_rows"
    """Logits [rows, vocabulary] of every new token (of an encoder: hidden states [rows, hidden]), packed."""
    LAST_ROWS = "last_rows"
    """Logits [sequences, vocabulary] of the last token of each sequence (of an encoder: its first token's state)."""
    NEXT_TOKENS = "next_tokens"
    """Token ids [sequences] with the greatest logits of LAST_ROWS; the lowest id among equals. Decoders only."""

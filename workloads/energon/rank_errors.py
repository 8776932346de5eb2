"""What can go wrong in a rank that lives on: it fails in a pass."""


class PassError(RuntimeError):
    """A forward pass failed on a rank of the stage: all of its ranks know, and go on with the next pass."""


def described(error: Exception, rank: int) -> str:
    """What is told of an error to others: its type, its text and the rank."""
    return f"{type(error).__name__}: {error} (rank {rank})"

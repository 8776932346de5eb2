"""What can go wrong between ranks: one of them is lost, or one of them fails in a pass and lives on."""


class LinkError(RuntimeError):
    """Another rank cannot be reached any more: this one cannot go on. The message names the other."""


class PassError(RuntimeError):
    """A forward pass failed on a rank of the stage: all of its ranks know, and go on with the next pass."""


def described(error: Exception, rank: int) -> str:
    """What is told of an error to others: its type, its text and the rank."""
    return f"{type(error).__name__}: {error} (rank {rank})"

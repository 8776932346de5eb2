"""What can be wrong with the weights of a Transformer, and with what is asked of it."""


class WeightError(ValueError):
    """Weights that cannot be used; the message names the file and the weight, and says what would do."""


class RequestError(ValueError):
    """A request that cannot be answered; it fails alone. The message says why and what would do."""

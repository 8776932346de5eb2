"""The one error of this package."""


class DatasetError(ValueError):
    """A data set that cannot exist, is not there, or does not verify; the message says what to do."""

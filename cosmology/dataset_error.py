"""The one family of errors of this package."""


class DatasetError(ValueError):
    """A data set that cannot exist, is not there, or does not verify; the message says what to do."""


class MissingCodecError(DatasetError):
    """The data may be whole, but this installation cannot unpack them."""

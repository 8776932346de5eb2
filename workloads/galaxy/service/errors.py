"""What the service tells its callers."""


class ServiceError(RuntimeError):
    """The service cannot go on, or cannot do what is asked; the message says why and what to do."""


class DeviceError(ServiceError):
    """A device that cannot take part: unreachable, of another version, or slower than was promised."""

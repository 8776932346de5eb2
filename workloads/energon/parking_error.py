"""What can be wrong with layers that are not kept on their device."""


class ParkingError(RuntimeError):
    """Layers that cannot be parked, or not be brought back; the message says why and what would do."""

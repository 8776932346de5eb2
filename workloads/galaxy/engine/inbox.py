"""Messages that came before they were asked for."""

from workloads.galaxy.engine.desk import Arrival
from workloads.galaxy.engine.message import Kind
from workloads.galaxy.engine.station import Station


class Inbox:
    """What has arrived of one pass and was not yet used."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._here: set[Arrival] = set()

    def put(self, arrival: Arrival) -> None:
        """A message is here."""
        self._here.add(arrival)

    def take(self, kind: Kind, half: int, index: int) -> None:
        """Wait until a message is here.

        Raises:
            LinkError: when a device of this pass is gone.
        """
        wanted = Arrival(kind, half, index)
        while wanted not in self._here:
            self._here.add(self._station.ring.poll() or self.wait())
        self._here.remove(wanted)

    def wait(self) -> Arrival:
        """The next message of any kind; the device has nothing to do until then.

        Raises:
            LinkError: when a device of this pass is gone.
        """
        arrival = self._station.ring.wait()
        self._station.arithmetic.waited()
        return arrival

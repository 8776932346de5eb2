"""What an engine tells its caller when it cannot answer."""


class EngineError(RuntimeError):
    """Something that an engine could not do; the message says what and why."""

    def __init__(self, told: str = "", words: str = "") -> None:
        super().__init__(told, words)
        self.told = told
        """What happened, in a sentence that anybody may read."""
        self.words = words
        """What processes of the engine said at last: they may hold paths, and are for who runs the engine."""

    def __str__(self) -> str:
        return f"{self.told} Last words:\n{self.words}" if self.words else self.told


class LaunchError(EngineError):
    """An engine that did not come up."""


class EngineDead(EngineError):  # noqa: N818  # callers read it as what became of the engine
    """A worker is gone: nothing that is queued or asked later will be answered. Launch a new engine."""


class EngineClosed(EngineError):  # noqa: N818  # callers read it as what became of the engine
    """The engine was closed before it could answer."""


class EngineTaken(EngineError):  # noqa: N818  # callers read it as what is wrong with the engine
    """Somebody else uses what can be used by one only."""


class QueueFull(EngineError):  # noqa: N818  # as in the standard library's queue.Full
    """No room for a request came free in the time it was given."""


class RequestFailed(EngineError):  # noqa: N818  # callers read it as what became of the request
    """One request failed on the ranks; the engine goes on with the others."""

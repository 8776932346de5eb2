"""That no plan fits; arithmetic only."""

from augment.problem import ProblemError


class PlanError(ProblemError):
    """Devices that cannot hold a model, or a plan that they cannot run; the message says what would do."""

"""Every error says what was wrong and what to do, and has its own exit code."""

import pytest

from saih.domain import errors


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.SaihError, 1),
        (errors.UsageError, 2),
        (errors.EnvironmentMissing, 3),
        (errors.DamagedData, 4),
        (errors.GateFailed, 5),
        (errors.Interrupted, 75),
    ],
)
def test_an_error_carries_problem_remedy_and_exit_code(kind: type[errors.SaihError], code: int) -> None:
    error = kind("resolution is 20", "use 16 or 32.")
    assert (error.problem, error.remedy, error.exit_code) == ("resolution is 20", "use 16 or 32.", code)
    assert str(error) == "resolution is 20\n  -> use 16 or 32."

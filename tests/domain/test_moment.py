"""Moments of stored files, and what is none."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saih.domain.batch import BatchProgress, Holder, Receipt
from saih.domain.moment import require_utc

FIRST, LAST = datetime.fromisoformat("1970-01-02"), datetime.fromisoformat("9998-12-30")


@given(st.datetimes(min_value=FIRST, max_value=LAST, timezones=st.just(UTC)))
def test_every_moment_that_is_written_is_one(moment: datetime) -> None:
    require_utc(moment.isoformat(timespec="seconds"))
    require_utc(moment.isoformat())


WRONG = ["", "yesterday", "2026-11-20", "2026-11-20T10:00:00", "9999-99-99", "0001-01-01T00:00:00+00:00"]


@pytest.mark.parametrize("text", [*WRONG, "9999-12-31T23:59:59-12:00", "\x1b[31m"])
def test_what_is_none_is_refused_wherever_one_belongs(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time|has no time zone"):
        Receipt(job_id="1", submitted_utc=text)
    with pytest.raises(ValueError, match=r"is no time|has no time zone"):
        Holder(token="t", job_id="1", host="h", process=1, since_utc=text, num_idle_restarts=0)
    with pytest.raises(ValueError, match=r"is no time|has no time zone"):
        BatchProgress(token="t", task="", point_id="", num_done=0, num_points=0, text="", at_utc=text)


@pytest.mark.parametrize("job_id", ["", "-1", "--all", "1\n2", "a b", "../x", "x" * 300])
def test_a_receipt_holds_an_id_that_no_command_takes_for_something_else(job_id: str) -> None:
    with pytest.raises(ValueError, match="no id of a job"):
        Receipt(job_id=job_id, submitted_utc="2026-11-20T10:00:00+00:00")

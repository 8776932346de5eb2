"""Moments as text: ISO 8601 with a time zone, as every stored file has them."""

from datetime import datetime

_YEARS = range(1970, 9999)
"""Outside of them, conversions between time zones overflow."""


def require_utc(text: str) -> None:
    """Refuse what is no moment of a stored file.

    Raises:
        ValueError: for another text, with it.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text[:40]!r} is no time of ISO 8601") from error
    if moment.tzinfo is None or moment.year not in _YEARS:
        raise ValueError(f"{text[:40]!r} has no time zone, or is out of range")

"""Times that come in from outside, in the one zone that everything is kept in."""

from __future__ import annotations

from datetime import UTC, datetime

from assurance.evidence.errors import InvalidInput


def in_utc(moment: datetime) -> datetime:
    """In UTC; one without zone is taken as UTC. Offsets that a clock can show and a database cannot are brought in.

    Raises
    ------
    InvalidInput
        ``bad_time`` when the moment lies outside the years 1 to 9999 of UTC.
    """
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise InvalidInput("bad_time", f"{moment} lies outside the years 1 to 9999") from error

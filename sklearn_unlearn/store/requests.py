"""Requests to forget a data subject, and whether their time is over."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

# States of requests that are not done.
OPEN = ("received", "forgotten", "published", "refused")


@dataclass(frozen=True)
class Request:
    """Where a request to forget one data subject stands.

    Parameters
    ----------
    state : str
        "received": it waits. "forgotten": a version without the subject is written.
        "published": it is the one that servers load; an older one is still there. "purged": no
        version that knew the subject is left. "absent": the subject was in no training data.
        "refused": the model can't forget it; ``reason`` says why, and a training without
        the subject settles it. "released": the subject came back.

    subject : str
        Keyed hash of the id.

    received_at : str
        Time in UTC, ISO 8601.

    reference : str or None
        What the request is called elsewhere.

    due : str or None
        Day or time by which it shall be done, ISO 8601.

    version : int or None
        The first version without the subject.

    reason : str or None
        Why it was refused.

    is_overdue : bool
        True if it is not done and its time is over.
    """

    state: str
    subject: str
    received_at: str
    reference: str | None = None
    due: str | None = None
    version: int | None = None
    reason: str | None = None
    is_overdue: bool = False


def as_moment(due):
    """Return a day or time as a text, checked."""
    if due is None:
        return None
    if isinstance(due, str):
        try:
            datetime.fromisoformat(due)
        except ValueError as error:
            raise ValueError(
                f"due={due!r} is no day or time. Pass a date, or a text such as '2030-01-31'."
            ) from error
        return due
    if isinstance(due, (date, datetime)):
        return due.isoformat()
    raise TypeError(f"due must be a date, a datetime or a text; got a {type(due).__name__}.")


def _is_over(due):
    """Tell whether a day, which counts as a whole, or a time in UTC is over."""
    if due is None:
        return False
    moment = datetime.fromisoformat(due)
    if len(due) == len("2030-01-31"):
        return datetime.now(UTC).date() > moment.date()
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return datetime.now(UTC) > moment


def requests_of(rows):
    """Return rows of the ledger as requests."""
    # Many have the same day.
    is_over = {due: _is_over(due) for due in {row["due"] for row in rows}}
    return [
        Request(
            row["state"],
            row["subject"],
            row["received_at"],
            row["reference"],
            row["due"],
            row["version"],
            row["reason"],
            row["state"] in OPEN and is_over[row["due"]],
        )
        for row in rows
    ]

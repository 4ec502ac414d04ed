"""What the ledger says about one data subject, to be shown to an auditor."""

from sklearn_unlearn.store.copies import stale
from sklearn_unlearn.store.errors import StoreError
from sklearn_unlearn.store.requests import requests_of
from sklearn_unlearn.store.verifying import derived, told_by


def write_certificate(ledger, subject):
    """Return all that a ledger says about a data subject.

    What is shown is checked: the seal of each event, and that the request is where the events
    say. The chain that they stand in must have been checked before.

    Parameters
    ----------
    ledger : Reading
        Of one moment.

    subject : str
        Keyed hash of the id; of one who asked to be forgotten.

    Returns
    -------
    dict
        JSON can hold it.

    Raises
    ------
    StoreError
        If an event was changed, or the request is not what the events tell of.
    """
    events = _history(ledger, subject)
    row = ledger.requests("subject = ?", (subject,))[0]
    told = told_by([{**event, "subjects": [subject]} for event in events]).get(subject)
    if told is None or derived(told) != derived(row):
        raise StoreError("The table of requests is not what the events tell of.")
    seq, seal = ledger.head()
    return {
        "request": vars(requests_of([row])[0]),
        "purged_at": events[-1]["at"] if events[-1]["kind"] == "purged" else None,
        "events": [_of_subject(event, subject) for event in events],
        "left_out_of_trainings": [
            {"version": event["version"], "at": event["at"]}
            for event in ledger.events("kind = 'trained'")
            if _asks_at(events, event["asked_until"])
        ],
        "latest_version": ledger.last_version(),
        "not_removed": (ledger.last_event("purged") or {"left": {}})["left"],
        "to_be_rebuilt_or_deleted": stale(ledger),
        "ledger": {"seq": seq, "seal": seal},
    }


def _history(ledger, subject):
    """Return the events that concern a subject, and those by which it was purged."""
    where = "seq IN (SELECT seq FROM concerns WHERE subject = ?)"
    history = []
    for event in ledger.events(where, (subject,)):
        history.append(event)
        if event["kind"] in ("trained", "forgotten"):
            later = ledger.events("kind = 'purged' AND seq > ?", (event["seq"],))
            history += [each for each in later if not each["left"]][:1]
    return history


def _asks_at(events, seq):
    """Tell whether a subject asks to be forgotten at the time of an event."""
    kinds = [each["kind"] for each in events if each["seq"] <= seq]
    changes = [kind for kind in kinds if kind in ("received", "released")]
    return changes[-1:] == ["received"]


def _of_subject(event, subject):
    """Return an event as one subject may see it."""
    shown = {name: value for name, value in event.items() if name not in ("subjects", "files")}
    if "subjects" not in event:
        return shown
    return {**shown, "subject": subject, "n_other_subjects": len(event["subjects"]) - 1}

"""Is a store what its ledger says?"""

import json

from sklearn_unlearn.store.errors import StoreError
from sklearn_unlearn.store.versions import MANIFEST


def check_ledger(ledger, head=None):
    """Check the chain of events, and that the tables are what they say.

    Parameters
    ----------
    ledger : Reading
        Of one moment.

    head : str, default=None
        Seal of an event that must be among them.

    Returns
    -------
    int
        Number of events.

    Raises
    ------
    StoreError
        That names the first event that is wrong.
    """
    before, n_events, seals = "", 0, set()
    for number, (seq, kind, body, seal) in enumerate(ledger.sealed(), start=1):
        if not ledger.is_sealed(body, seal):
            raise StoreError(f"Event {seq} was changed: its seal does not fit.")
        event = json.loads(body)
        if event["kind"] != kind:
            raise StoreError(f"Event {seq} is listed as one of another kind.")
        if seq != number or event["seq"] != number or event["before"] != before:
            raise StoreError(f"An event before number {seq} was removed or added.")
        before, n_events = seal, number
        seals.add(seal)
    if head is not None and head not in seals:
        raise StoreError("The event that was noted is not in the ledger: its end was cut off.")
    _check_tables(ledger)
    return n_events


def _check_tables(ledger):
    """Raise if states of requests are not those that the events tell of."""
    told, concerned = told_by(ledger.events()), set()
    for event in ledger.events():
        concerned |= {(subject, event["seq"]) for subject in event.get("subjects", ())}
    found = {request["subject"]: request["state"] for request in ledger.requests()}
    # A request advances from "forgotten" to "published" without an event of its own.
    if {s: _without_event(state) for s, state in found.items()} != {
        s: _without_event(state) for s, state in told.items()
    }:
        raise StoreError("The states of requests are not those that the events tell of.")
    if set(ledger.db.execute("SELECT subject, seq FROM concerns")) != concerned:
        raise StoreError("The table of whom events concern is not what they say.")
    clear = ledger.requests("id IS NOT NULL AND state != 'received'")
    if clear:
        raise StoreError(f"{len(clear)} ids stand in clear though their requests don't wait.")


def _without_event(state):
    return "published" if state == "forgotten" else state


def told_by(events):
    """Return the state of each subject's request, as events tell of it."""
    states = {}
    for event in events:
        kind = event["kind"]
        if kind == "received":
            states |= dict.fromkeys(event["subjects"], "received")
        elif kind in ("trained", "forgotten"):
            states |= dict.fromkeys(event["subjects"], "forgotten")
        elif kind in ("absent", "refused"):
            states |= dict.fromkeys(event["subjects"], kind)
        elif kind == "purged" and not event["left"]:
            done = [subject for subject, state in states.items() if state == "forgotten"]
            states |= dict.fromkeys(done, "purged")
    return states


def check_versions(ledger, versions, latest):
    """Check the files of versions that are there.

    Parameters
    ----------
    ledger : Reading
        Of one moment.

    versions : Versions
        The folders.

    latest : int
        The newest version that the ledger knows, zero without any.

    Raises
    ------
    StoreError
        If a file is not what its event says, or names an event that is not there.
    """
    events = ledger.events(("trained", "forgotten"))
    files = {event["version"]: event["files"] for event in events}
    seals = {seal for *_, seal in ledger.sealed()}
    for number in versions.present():
        if number not in files:
            # A writer is at work, or was stopped: the next one removes it.
            continue
        versions.check(number, files[number])
        if versions.manifest(number)["ledger_head"]["seal"] not in seals:
            raise StoreError(f"{MANIFEST} of version {number} names an event that was cut off.")
    if latest and latest not in versions.present():
        raise StoreError(f"Version {latest}, the newest, is missing.")

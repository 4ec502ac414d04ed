"""Is a store what its ledger says?"""

from sklearn_unlearn.store.errors import StoreError
from sklearn_unlearn.store.versions import MANIFEST, lost


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
    tuple of (int, str)
        Number of events, and the seal of the last one.

    Raises
    ------
    StoreError
        That names the first event that is wrong.
    """
    end = check_chain(ledger)
    if head is not None and not any(ledger.sealed("seal = ?", (head,))):
        raise StoreError(
            "The event that was noted is not in the ledger: its end was cut off, it is another "
            "ledger, or the seal is mistyped."
        )
    _check_tables(ledger)
    return end


def check_chain(ledger, since=(0, "")):
    """Check events from a known one on: their seals, and that each names the one before.

    Parameters
    ----------
    ledger : Reading
        Of one moment.

    since : tuple of (int, str), default=(0, "")
        Number and seal of an event up to which the chain was checked before.

    Returns
    -------
    tuple of (int, str)
        Number and seal of the last event.

    Raises
    ------
    StoreError
        That names the first event that is wrong.
    """
    number, before = since
    if number and not any(ledger.sealed("seq = ? AND seal = ?", since)):
        raise StoreError(f"Event {number} was there before, and is not now.")
    for seq, kind, body, seal in ledger.sealed("seq > ?", (number,)):
        number += 1
        event = ledger.opened(seq, body, seal)
        if event["kind"] != kind:
            raise StoreError(f"Event {seq} is listed as one of another kind.")
        if seq != number or event["seq"] != number or event["before"] != before:
            raise StoreError(f"An event before number {seq} was removed or added.")
        before = seal
    return number, before


def check_end(published, latest):
    """Raise a StoreError if a version is published that is newer than all that events tell of."""
    if published > latest:
        raise StoreError(
            f"Version {published} is published, but the ledger ends before it: its end was cut "
            "off, or an old copy of it was put back. To go on with it, put it alone into an empty "
            "folder, submit again who has asked since, and call train()."
        )


def _check_tables(ledger):
    """Raise if the tables are not what the events tell of."""
    events = list(ledger.events())
    told = {subject: derived(row) for subject, row in told_by(events).items()}
    if {row["subject"]: derived(row) for row in ledger.requests()} != told:
        raise StoreError("The table of requests is not what the events tell of.")
    concerned = {(subject, e["seq"]) for e in events for subject in e.get("subjects", ())}
    if set(ledger.db.execute("SELECT subject, seq FROM concerns")) != concerned:
        raise StoreError("The table of whom events concern is not what they say.")
    if ledger.asked("(id IS NULL) = (state = 'received')"):
        raise StoreError("Not those requests that wait have their ids, and no others.")


_TOLD = ("reference", "received_at", "due", "reason", "version", "seq")


def derived(row):
    """Return what events tell of a request."""
    # A request advances from "forgotten" to "published" without an event of its own.
    state = "published" if row["state"] == "forgotten" else row["state"]
    return state, *(row[name] for name in _TOLD)


def told_by(events):
    """Return the request of each subject, as events tell of it."""
    requests, not_purged = {}, []
    for event in events:
        kind, subjects = event["kind"], event.get("subjects", ())
        if kind == "received":
            row = {
                "state": "received",
                "received_at": event["at"],
                "reason": None,
                "version": None,
                **{name: event[name] for name in ("reference", "due", "seq")},
            }
            requests |= {subject: dict(row) for subject in subjects}
        elif kind in ("trained", "forgotten"):
            _settle(requests, subjects, state="forgotten", version=event["version"], reason=None)
            not_purged += subjects
        elif kind in ("absent", "refused"):
            _settle(requests, subjects, state=kind, reason=event.get("reason"))
        elif kind == "released":
            _settle(requests, subjects, state="released", reason=None)
        elif kind == "purged" and not event["left"]:
            _settle(requests, not_purged, state="purged")
            not_purged = []
    return requests


def _settle(requests, subjects, **told):
    for subject in subjects:
        requests[subject].update(told)


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
    files = ledger.files()
    seals = {seal for *_, seal in ledger.sealed()}
    published = versions.latest() or 0
    check_end(published, latest)
    there = [number for number in versions.present() if versions.of(number).is_dir()]
    if latest and latest not in there:
        raise lost(f"Version {latest}, the newest, is missing")
    made, purged = ledger.last_event("trained", "forgotten"), ledger.last_event("purged")
    # The one is written before it is published, the other after.
    if published < latest and purged is not None and purged["seq"] > made["seq"]:
        raise StoreError(
            f"The file latest names version {published}, but version {latest} was published. Call "
            "apply(), which mends it."
        )
    for number in there:
        if number not in files:
            # A writer is at work, or was stopped: the next one removes it.
            continue
        try:
            versions.check(number, files[number])
            head = versions.manifest(number)["ledger_head"]["seal"]
        except (StoreError, OSError):
            if number < latest and not versions.of(number).is_dir():
                # A writer has removed it meanwhile, which takes it out of sight as a whole.
                continue
            raise
        if head not in seals:
            raise StoreError(f"{MANIFEST} of version {number} names an event that was cut off.")

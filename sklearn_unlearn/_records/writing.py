"""The receipt of a request, written while it is carried out."""

import secrets
from datetime import UTC, datetime

from sklearn_unlearn._records.receipt import (
    VERSIONS,
    ForgetReceipt,
    keyed_digest,
    request_digest,
    subject_digests,
)


def write_receipt(keys, previous, params, **entries):
    """Return the receipt of a request that is being carried out.

    Parameters
    ----------
    keys : list
        The forgotten ids as plain Python objects, each once.

    previous : ForgetReceipt or None
        The receipt before.

    params : dict
        Parameters of the unlearner, in types that JSON has.

    **entries : dict
        The fields that are not computed here.

    Returns
    -------
    ForgetReceipt
        With a fresh salt.
    """
    salt = secrets.token_hex(16)
    digests = subject_digests(keys, salt)
    if previous is not None and previous.params == params:
        # One dict for many receipts.
        params = previous.params
    return ForgetReceipt(
        created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        n_subjects=len(keys),
        request_digest=request_digest(digests, salt),
        subject_digests=digests,
        previous_digest=None if previous is None else keyed_digest(previous.digest(), salt),
        salt=salt,
        params=params,
        versions=VERSIONS,
        **entries,
    )

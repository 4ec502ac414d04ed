"""Are these all receipts of a model, and unchanged?"""

from itertools import pairwise

from sklearn_unlearn._records.receipt import ForgetReceipt, request_digest


def verify_chain(receipts, *, last_digest=None):
    """Tell whether receipts are all those of a model since ``fit``, in order and unchanged.

    Whoever knows the salts can write another chain that fits together. To rule this out,
    give the ``digest()`` of each receipt to somebody else at the time of the request; it
    tells nothing about who was forgotten.

    Parameters
    ----------
    receipts : list of ForgetReceipt
        All receipts of a model, the oldest first, as read from your records: those with
        salt.

    last_digest : str, default=None
        ``digest()`` of the last receipt, noted elsewhere. Without it, receipts missing at
        the end are not found, nor a change of the last one.

    Returns
    -------
    bool
        True if each receipt names the one before it as it is.

    Raises
    ------
    TypeError
        If one is no receipt.

    ValueError
        If a receipt has no salt, because it was pickled with its model.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_unlearn import PUMAUnlearner, verify_chain
    >>> model = PUMAUnlearner(Ridge()).fit(*load_diabetes(return_X_y=True))
    >>> receipts = model.partial_forget([3]).partial_forget([14]).receipts_
    >>> verify_chain(receipts), verify_chain(receipts[1:])
    (True, False)
    """
    receipts = list(receipts)
    odd = {type(each).__name__ for each in receipts if not isinstance(each, ForgetReceipt)}
    if odd:
        raise TypeError(
            f"verify_chain takes a list of ForgetReceipt; got {', '.join(sorted(odd))} in it. Read "
            "texts with ForgetReceipt.from_json and dicts with ForgetReceipt.from_dict first."
        )
    whole = all(
        after.follows(before)
        and request_digest(after.subject_digests, after.salt) == after.request_digest
        for before, after in pairwise([None, *receipts])
    )
    end = receipts[-1].digest() if receipts else None
    return whole and (last_digest is None or last_digest == end)

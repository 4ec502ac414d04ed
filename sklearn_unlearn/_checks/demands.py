"""What the checks demand, in words that say what to do."""

import numpy as np
from sklearn.base import is_classifier

from sklearn_unlearn._records.digest import model_digest


def demand(holds, clause):
    """Raise for a clause that does not hold."""
    if not holds:
        raise AssertionError(clause)


def digest(model):
    return model_digest(model.estimator_)


def outputs(model, X):
    """Return real-valued predictions where there are any."""
    for method in ("decision_function", "predict_proba"):
        if is_classifier(model) and hasattr(model, method):
            return getattr(model, method)(X)
    return model.predict(X)


def distance(given, wanted):
    """Return the mean difference of predictions, of labels the share that differs."""
    given, wanted = np.asarray(given), np.asarray(wanted)
    if given.dtype.kind == "f":
        return float(np.abs(given - wanted).mean())
    return float((given != wanted).mean())


def assert_same(model, other, X, clause="Equal requests give equal models."):
    """Check that two models agree to the rounding of sums whose order memory may change."""
    given, wanted = np.asarray(outputs(model, X)), np.asarray(outputs(other, X))
    if given.dtype.kind == "f":
        np.testing.assert_allclose(given, wanted, rtol=1e-9, atol=1e-11, err_msg=clause)
    else:
        np.testing.assert_array_equal(given, wanted, err_msg=clause)


def assert_refused(model, X_ids, error):
    """Check that a request raises an error and changes nothing; return the error."""
    before, n_receipts = digest(model), len(model.receipts_)
    try:
        model.partial_forget(X_ids)
    except error as caught:
        found = caught
    except Exception as other:
        raise AssertionError(
            f"A request that can't be carried out raises {error.__name__}; this one raised "
            f"{type(other).__name__}: {other}. Check it before anything is computed."
        ) from other
    else:
        raise AssertionError(
            f"A request that can't be carried out raises {error.__name__}; this one did not. "
            "Let SubjectIndex find the rows, and check in _forget what they leave."
        )
    ids = [key for key in np.ravel(X_ids).tolist() if isinstance(key, str)]
    demand(
        not any(key in f"{found} {found.args}" for key in ids),
        "No id stands in the text of an error, since texts end up in logs. Say how many there "
        "are, and keep ids as an attribute, as UnknownIdError does.",
    )
    demand(
        digest(model) == before and len(model.receipts_) == n_receipts,
        "A refused request changes nothing. Compute on copies in _forget, and return them.",
    )
    return found

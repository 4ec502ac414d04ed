"""What is written down about a request."""

import hashlib
import secrets
from dataclasses import asdict, dataclass, replace
from numbers import Number
from types import BuiltinFunctionType, FunctionType

import numpy as np

from sklearn_unlearn._subjects import as_keys

# How an estimator is called and watched, not what it computes.
_NOT_THE_MODEL = {"_metadata_request", "_skl_callbacks"}
_NAMED = (type, FunctionType, BuiltinFunctionType, np.ufunc)


@dataclass(frozen=True)
class ForgetReceipt:
    """What was done for one request to forget.

    A receipt holds no id and no row. Its digest of the request is salted, and the salt
    leaves the model when the model is pickled: keep ``to_dict()`` in your own records if
    you want to show later which request a receipt belongs to.

    Parameters
    ----------
    created_at : str
        Time of the request in UTC, ISO 8601.

    method : str
        Class of the unlearner.

    guarantee : {"exact", "optimum", "approximate"}
        "exact": the model is what training without the rows gives, bitwise for ensembles
        of chains, and for PUMAUnlearner the optimum that this training aims at, up to
        rounding;
        "optimum": the gradient norm of the remaining objective is at most the tolerance;
        "approximate": neither is promised.

    n_subjects : int
        Number of ids forgotten.

    n_rows : int
        Number of rows forgotten.

    n_rows_remaining : int
        Number of rows that the model still has.

    n_rows_retrained : int
        Number of rows on which a part of the model was trained again.

    gradient_norm_before : float or None
        Largest absolute entry of the gradient of the remaining mean objective before the
        parameters moved. None where no pass over the data was made.

    gradient_norm_after : float or None
        The same after they moved.

    seconds : float
        Wall-clock time of the request in seconds.

    stopped_because : str
        What ended the computation.

    request_digest : str
        SHA-256 of salt and ids.

    model_digest_before : str
        SHA-256 of the fitted model before the request, see :func:`model_digest`.

    model_digest_after : str
        The same after the request.

    not_forgotten : tuple of str, default=()
        Parts that still depend on the rows.

    salt : str or None, default=None
        Salt of the request digest. None in a receipt that was pickled with its model.
    """

    created_at: str
    method: str
    guarantee: str
    n_subjects: int
    n_rows: int
    n_rows_remaining: int
    n_rows_retrained: int
    gradient_norm_before: float | None
    gradient_norm_after: float | None
    seconds: float
    stopped_because: str
    request_digest: str
    model_digest_before: str
    model_digest_after: str
    not_forgotten: tuple = ()
    salt: str | None = None

    def to_dict(self):
        """Return the receipt as a dict that ``json.dumps`` accepts.

        Returns
        -------
        dict
            One entry per field.
        """
        return {**asdict(self), "not_forgotten": list(self.not_forgotten)}

    def matches(self, X_ids):
        """Tell whether this receipt belongs to a request for these ids.

        Parameters
        ----------
        X_ids : array-like
            The ids, in any order.

        Returns
        -------
        bool
            True if the salted digest agrees.

        Raises
        ------
        ValueError
            If the salt is gone, because the receipt was pickled with its model.
        """
        if self.salt is None:
            raise ValueError(
                "This receipt has no salt: it was stored with its model. "
                "Use the receipt's to_dict() that was kept at the time of the request."
            )
        return request_digest(as_keys(X_ids), self.salt) == self.request_digest

    def without_salt(self):
        """Return the receipt without the salt of its request digest.

        Returns
        -------
        ForgetReceipt
            A receipt from which the ids can't be found by trying them.
        """
        return replace(self, salt=None)


def new_salt():
    """Return a fresh random salt."""
    return secrets.token_hex(16)


def request_digest(keys, salt):
    """Return the salted SHA-256 of ids, whatever their order."""
    text = "\n".join(sorted(map(repr, keys)))
    return hashlib.sha256(f"{salt}\n{text}".encode()).hexdigest()


def model_digest(model):
    """Return a SHA-256 that changes with any parameter or fitted value of a model.

    Parameters
    ----------
    model : estimator
        A fitted scikit-learn estimator.

    Returns
    -------
    str
        The digest in hexadecimal; equal models have equal digests, on any machine of the
        same byte order.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_unlearn import model_digest
    >>> a, b = Ridge().fit([[0.0], [1.0]], [0, 1]), Ridge().fit([[0.0], [1.0]], [0, 1])
    >>> model_digest(a) == model_digest(b)
    True
    """
    sha = hashlib.sha256()
    _feed(sha, model, ())
    return sha.hexdigest()


def _feed(sha, value, parents):
    """Feed a value into a hash, by content and without regard to object identity."""
    if id(value) in parents:
        sha.update(b"cycle")
        return
    inside = (*parents, id(value))
    if isinstance(value, _NAMED):
        sha.update(value.__name__.encode())
    elif isinstance(value, np.ndarray) and value.dtype.names:
        # Field by field: what lies between them, as in the nodes of trees, is no value.
        _feed(sha, {name: value[name] for name in value.dtype.names}, inside)
    elif isinstance(value, np.ndarray) and value.dtype != object:
        sha.update(f"{value.dtype.str}{value.shape}".encode())
        sha.update(np.ascontiguousarray(value).data)
    elif hasattr(value, "untyped_storage"):
        _feed(sha, value.detach().cpu().numpy(), inside)
    elif hasattr(value, "state_dict"):
        # torch modules and optimisers, whose other attributes hold caches and tensor keys.
        _feed(sha, (type(value).__name__, value.state_dict()), inside)
    elif isinstance(value, dict):
        for key in sorted(value.keys() - _NOT_THE_MODEL, key=repr):
            sha.update(repr(key).encode())
            _feed(sha, value[key], inside)
    elif isinstance(value, (set, frozenset)):
        _feed(sha, sorted(value, key=repr), inside)
    elif isinstance(value, (list, tuple, np.ndarray)):
        sha.update(f"{type(value).__name__}{len(value)}".encode())
        for item in value:
            _feed(sha, item, inside)
    elif hasattr(value, "indptr"):
        _feed(sha, (value.shape, value.indptr, value.indices, value.data), inside)
    elif hasattr(value, "get_params"):
        sha.update(type(value).__name__.encode())
        _feed(sha, vars(value), inside)
    elif value is None or isinstance(value, (str, bytes, Number, np.generic)):
        sha.update(f"{type(value).__name__}:{value!r}".encode())
    else:
        # Other objects say how they are rebuilt.
        _feed(sha, value.__reduce_ex__(4)[:3], inside)

"""What is written down about a request."""

import hashlib
import secrets
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from numpy.typing import ArrayLike

from sklearn_unlearn._records.subjects import as_keys


@dataclass(frozen=True)
class Outcome:
    """What a method tells the receipt of a request; see :class:`ForgetReceipt`.

    Parameters
    ----------
    guarantee : {"exact", "optimum", "approximate"}, default="approximate"
        What is promised of the model.

    stopped_because : str, default=""
        What ended the computation.

    n_rows_retrained : int, default=0
        Number of rows on which a part of the model was trained again.

    gradient_norm_before : float or None, default=None
        Gradient norm of the remaining objective before the parameters moved.

    gradient_norm_after : float or None, default=None
        The same after they moved.

    not_forgotten : tuple of str, default=()
        Parts that still depend on the rows.

    holds_rows : tuple of str, default=()
        Parts of ``estimator_`` that hold remaining rows, or values of them.
    """

    guarantee: str = "approximate"
    stopped_because: str = ""
    n_rows_retrained: int = 0
    gradient_norm_before: float | None = None
    gradient_norm_after: float | None = None
    not_forgotten: tuple[str, ...] = ()
    holds_rows: tuple[str, ...] = ()


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

    holds_rows : tuple of str, default=()
        Parts of ``estimator_`` that hold training rows, as nearest neighbours and support
        vectors do, none of them forgotten: whoever is given the model is given these rows.

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
    not_forgotten: tuple[str, ...] = ()
    holds_rows: tuple[str, ...] = ()
    salt: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the receipt as a dict that ``json.dumps`` accepts.

        Returns
        -------
        dict
            One entry per field.
        """
        return {
            **asdict(self),
            "not_forgotten": list(self.not_forgotten),
            "holds_rows": list(self.holds_rows),
        }

    def matches(self, X_ids: ArrayLike) -> bool:
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

    def without_salt(self) -> Self:
        """Return the receipt without the salt of its request digest.

        Returns
        -------
        ForgetReceipt
            A receipt from which the ids can't be found by trying them.
        """
        return replace(self, salt=None)


def new_salt() -> str:
    """Return a fresh random salt."""
    return secrets.token_hex(16)


def request_digest(keys: list[Any], salt: str) -> str:
    """Return the salted SHA-256 of ids, whatever their order."""
    text = "\n".join(sorted(map(repr, keys)))
    return hashlib.sha256(f"{salt}\n{text}".encode()).hexdigest()

"""What is written down about a request."""

import hashlib
import hmac
import json
import math
from copy import copy
from dataclasses import MISSING, dataclass, field, fields
from numbers import Real
from typing import Any, Self

import numpy as np
import sklearn

from sklearn_unlearn._records.encoding import all_encoded
from sklearn_unlearn._records.gaussian import gaussian_epsilon
from sklearn_unlearn._records.keys import as_keys, check_keys, check_twins
from sklearn_unlearn._records.receipt_fields import check_fields
from sklearn_unlearn._version import __version__

# To be raised with every change of what a field means.
SCHEMA_VERSION = 1

VERSIONS = {
    "sklearn_unlearn": __version__,
    "scikit-learn": sklearn.__version__,
    "numpy": np.__version__,
}

_ENCODER = json.JSONEncoder(sort_keys=True, allow_nan=False)

# Bytes of a subject's digest: enough that no two subjects share one.
DIGEST_SIZE = 16


@dataclass(frozen=True)
class Outcome:
    """What a method tells the receipt of a request; see :class:`ForgetReceipt`.

    Parameters
    ----------
    guarantee : {"exact", "optimum", "certified", "approximate"}, default="approximate"
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

    retrained_parts : tuple of str, default=()
        Steps of a pipeline that were fitted again before the last step was updated.

    holds_rows : tuple of str, default=()
        Parts of ``estimator_`` that hold remaining rows, or values of them.

    measures : dict of str to float, default={}
        Figures of the request.
    """

    guarantee: str = "approximate"
    stopped_because: str = ""
    n_rows_retrained: int = 0
    gradient_norm_before: float | None = None
    gradient_norm_after: float | None = None
    not_forgotten: tuple[str, ...] = ()
    retrained_parts: tuple[str, ...] = ()
    holds_rows: tuple[str, ...] = ()
    measures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ForgetReceipt:
    """What was done for one request, to forget or to correct.

    A receipt holds no id and no row, and prints none of its keyed values. While the model
    stays in memory, its receipts hold a salt: the key of the digests of the subjects. The
    salt leaves the model when the model is pickled, and with it what could be tried out:
    the digests of subjects go, those of models stay under the salt as their key. Keep
    ``to_json()`` in your own records if you want to show later whom a
    receipt is about, and keep them as you would keep the ids: whoever has the salt can try
    ids, and rows against the digest of the model before. To show a receipt to others,
    pass on ``without_salt().to_json()``.

    Each receipt names the one before it by a digest under its own salt, from ``fit`` on:
    :func:`verify_chain` finds receipts that were removed, added or edited.

    Parameters
    ----------
    created_at : str
        Time of the request in UTC, ISO 8601.

    method : str
        Class of the unlearner.

    guarantee : {"exact", "optimum", "certified", "approximate"}
        "exact": the model is what training without the rows gives, bitwise for ensembles
        of chains, for closed forms of moments up to rounding, and for PUMAUnlearner the
        optimum that this training aims at, up to rounding;
        "optimum": the gradient norm of the remaining objective is at most the tolerance;
        "certified": the model was released with noise that hides the proved distance from the
        optimum, see :meth:`epsilon`;
        "approximate": neither is promised.

    n_subjects : int
        Number of ids forgotten or corrected. 0 for a request that skipped all its ids.

    n_rows : int
        Number of rows forgotten or corrected.

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
        HMAC-SHA256 of ``subject_digests``, with the salt as key.

    model_digest_before : str
        SHA-256 of the fitted model before the request, see :func:`model_digest`. In a
        receipt without salt, its HMAC-SHA256 with the salt as key.

    model_digest_after : str
        The same after the request.

    not_forgotten : tuple of str, default=()
        Parts that still depend on the rows.

    salt : str or None, default=None
        Key of the digests. None in a receipt that was pickled with its model.

    retrained_parts : tuple of str, default=()
        Steps of a pipeline that were fitted again on all ``n_rows_retrained`` rows before
        the last step was updated. Empty if there were none, or if it is the whole model
        that was trained again.

    n_unknown : int, default=0
        Number of ids of the request that were unknown or forgotten already, and skipped.

    subject_digests : tuple of str, default=()
        Of each id of the request, a keyed BLAKE2b of 16 bytes in hexadecimal, sorted: 36 bytes
        of JSON per id, 360 kB for 10,000. Empty in a receipt without salt.

    previous_digest : str or None, default=None
        HMAC-SHA256 of the ``digest()`` of the receipt before, with this salt as key. None
        in the first receipt after ``fit``.

    params : dict, default={}
        Parameters of the unlearner at the time of the request, and of the estimators in
        it. Arrays, tables and other containers are named by type and size only.

    versions : dict, default={}
        Versions of sklearn_unlearn, scikit-learn and numpy.

    schema_version : int, default=1
        Version of these fields.

    holds_rows : tuple of str, default=()
        Parts of ``estimator_`` that hold training rows, as nearest neighbours and support
        vectors do, none of them forgotten: whoever is given the model is given these rows.

    measures : dict of str to float, default={}
        Figures of the request, where the unlearner has any: see its notes.

    kind : {"forget", "correct"}, default="forget"
        What was asked for: to forget rows, or to put other labels or values in their place.
        For a correction, "training without the rows" above is training with the right ones.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_unlearn import ForgetReceipt, PUMAUnlearner
    >>> model = PUMAUnlearner(Ridge()).fit(*load_diabetes(return_X_y=True))
    >>> kept = model.partial_forget([3, 14]).receipts_[-1].to_json()
    >>> receipt = ForgetReceipt.from_json(kept)
    >>> receipt.matches([14, 3]), receipt.covers(14), receipt.covers(15)
    (True, True, False)
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
    model_digest_before: str = field(repr=False)
    model_digest_after: str = field(repr=False)
    not_forgotten: tuple = ()
    salt: str | None = field(default=None, repr=False)
    retrained_parts: tuple = ()
    n_unknown: int = 0
    subject_digests: tuple = field(default=(), repr=False)
    previous_digest: str | None = field(default=None, repr=False)
    params: dict = field(default_factory=dict, repr=False, hash=False)
    versions: dict = field(default_factory=dict, repr=False, hash=False)
    schema_version: int = SCHEMA_VERSION
    holds_rows: tuple = ()
    measures: dict = field(default_factory=dict, repr=False, hash=False)
    kind: str = "forget"

    @property
    def distance_bound(self) -> float | None:
        """Proved upper bound of the distance to the optimum of the remaining rows.

        Euclidean, in the parameters of the model, and of the features that its transformers now
        give. None where nothing is proved: ``stopped_because`` says why if it was tried.
        """
        return self.measures.get("distance_bound")

    def epsilon(self, delta: float) -> float:
        """Return how well the released model can be told from one trained without the rows.

        That is the epsilon of (epsilon, delta)-indistinguishability of this release from one of
        the optimum of the remaining rows with noise of the same size (analytic Gaussian mechanism
        [1]_, at the distance that is proved). It says nothing of what several releases tell.

        Parameters
        ----------
        delta : float
            In (0, 1).

        Returns
        -------
        float
            The least epsilon that is proved.

        Raises
        ------
        ValueError
            If delta is invalid, or the guarantee is not "certified".

        References
        ----------
        .. [1] B. Balle, Y.-X. Wang, "Improving the Gaussian Mechanism for Differential Privacy:
           Analytical Calibration and Optimal Denoising", ICML 2018, theorem 8,
           :arxiv:`1805.06530`.
        """
        if not isinstance(delta, Real) or not 0 < delta < 1:
            raise ValueError(f"delta={delta!r} is invalid: it must be a number in (0, 1).")
        if self.guarantee != "certified":
            raise ValueError(
                f"This receipt's guarantee is {self.guarantee!r}; only a certified release has an "
                "epsilon. Set release_noise of PUMAUnlearner."
            )
        return gaussian_epsilon(
            delta, self.measures["distance_bound"] / self.measures["release_noise"]
        )

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Self:
        """Return the receipt that a dict holds.

        Parameters
        ----------
        record : dict
            What ``to_dict()`` returned, also after JSON.

        Returns
        -------
        ForgetReceipt
            Equal to the one that was written.

        Raises
        ------
        TypeError
            If it is no dict.

        ValueError
            If the dict is no receipt, or one of another schema version, or if a field holds
            what no receipt does.
        """
        if not isinstance(record, dict):
            raise TypeError(
                f"A receipt is read from a dict; got a {type(record).__name__}. Pass what "
                "to_dict() returned, or to from_json what to_json() returned."
            )
        found = record.get("schema_version")
        if found != SCHEMA_VERSION:
            raise ValueError(
                f"schema_version is {found!r}; sklearn_unlearn {__version__} reads receipts of "
                f"schema version {SCHEMA_VERSION}. Read it with the release that wrote it."
            )
        names = {each.name for each in fields(cls)}
        needed = {
            each.name
            for each in fields(cls)
            if each.default is MISSING and each.default_factory is MISSING
        }
        wrong = sorted((needed - record.keys()) | (record.keys() - names))
        if wrong:
            raise ValueError(
                f"This dict is no receipt: {', '.join(wrong)} missing or not a field. "
                "Pass what to_dict() returned."
            )
        check_fields(record)
        tuples = {
            each.name: tuple(record.get(each.name, ()))
            for each in fields(cls)
            if each.default == ()
        }
        norms = {
            name: None if record[name] is None else float(record[name])
            for name in ("gradient_norm_before", "gradient_norm_after")
        }
        norms["seconds"] = float(record["seconds"])
        return cls(**{**record, **tuples, **norms})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the receipt that a JSON text holds.

        Parameters
        ----------
        text : str
            What ``to_json()`` returned.

        Returns
        -------
        ForgetReceipt
            Equal to the one that was written.
        """
        return cls.from_dict(json.loads(text))

    def to_dict(self) -> dict[str, Any]:
        """Return the receipt as a dict that ``json.dumps`` accepts, salt included.

        Returns
        -------
        dict
            One entry per field.
        """
        # The dicts among the fields are shared with other receipts.
        return {
            name: list(value) if isinstance(value, tuple) else copy(value)
            for name, value in vars(self).items()
        }

    def to_json(self) -> str:
        """Return the receipt as JSON, salt included.

        Returns
        -------
        str
            One object, its names sorted. Numbers that JSON lacks are texts, such as "inf".
        """
        return _as_json(vars(self))

    def digest(self) -> str:
        """Return a digest of this receipt, the same with and without salt.

        It tells nothing about who was forgotten. Given to a third party, it fixes this
        receipt and all before it; see ``last_digest`` in :func:`verify_chain`.

        Returns
        -------
        str
            SHA-256 of the JSON of ``without_salt()``, in hexadecimal.
        """
        record = dict(self._without_salt())
        if self.kind == "forget":
            # Receipts of earlier releases, which have no kind, keep their digests.
            record.pop("kind", None)
        return hashlib.sha256(_as_json(record).encode()).hexdigest()

    def follows(self, previous):
        """Tell whether a receipt is the one written before this one, and unchanged.

        Parameters
        ----------
        previous : ForgetReceipt or None
            The other receipt, with or without salt; None asks whether this is the first.

        Returns
        -------
        bool
            True if it is.

        Raises
        ------
        ValueError
            If this receipt's salt is gone, because it was pickled with its model.
        """
        self._check_salt()
        expected = None if previous is None else keyed_digest(previous.digest(), self.salt)
        return self.previous_digest == expected

    def matches(self, X_ids):
        """Tell whether these ids, all of them and no others, are those of the request.

        Parameters
        ----------
        X_ids : array-like of shape (n_subjects,)
            The ids that were forgotten or corrected, in any order; without those skipped.

        Returns
        -------
        bool
            True if the keyed digest agrees. Equal ids of other types agree.

        Raises
        ------
        ValueError
            If the salt is gone, because the receipt was pickled with its model.
        """
        self._check_salt()
        keys = _checked_keys(X_ids)
        if request_digest(subject_digests(keys, self.salt), self.salt) == self.request_digest:
            return True
        check_twins(keys, self._were_asked_for)
        return False

    def covers(self, X_id):
        """Tell whether one subject was among those of the request.

        Parameters
        ----------
        X_id : hashable
            One id.

        Returns
        -------
        bool
            True if it was forgotten by this request, or corrected if that is its kind.

        Raises
        ------
        ValueError
            If the salt is gone, because the receipt was pickled with its model, or if the
            digests of the subjects were changed.
        """
        self._check_salt()
        if request_digest(self.subject_digests, self.salt) != self.request_digest:
            raise ValueError(
                "subject_digests don't agree with request_digest: the receipt was changed. "
                "Read what its to_json() returned at the time of the request by from_json."
            )
        keys = _checked_keys([X_id])
        if self._were_asked_for(keys)[0]:
            return True
        check_twins(keys, self._were_asked_for)
        return False

    def _were_asked_for(self, keys):
        """Tell which keys are those of subjects of the request."""
        return [digest in self.subject_digests for digest in subject_digests(keys, self.salt)]

    def without_salt(self) -> Self:
        """Return the receipt without its salt and what could be tried out.

        Returns
        -------
        ForgetReceipt
            A receipt from which neither ids nor the model before can be found by trying.
        """
        return self if self.salt is None else type(self)(**self._without_salt())

    def _without_salt(self):
        """Return the fields of the receipt without its salt and what could be tried out."""
        if self.salt is None:
            return vars(self)
        return {
            **vars(self),
            "salt": None,
            "subject_digests": (),
            "model_digest_before": keyed_digest(self.model_digest_before, self.salt),
            "model_digest_after": keyed_digest(self.model_digest_after, self.salt),
        }

    def _check_salt(self):
        """Raise if the key of the digests is gone."""
        if self.salt is None:
            raise ValueError(
                "This receipt has no salt: it was stored with its model. "
                "Read what its to_json() returned at the time of the request by from_json."
            )


def _as_json(record):
    """Return the fields of a receipt as JSON; numbers that JSON lacks are texts."""
    odd = {
        name: repr(value)
        for name, value in record.items()
        if isinstance(value, float) and not math.isfinite(value)
    }
    return _ENCODER.encode({**record, **odd})


def subject_digests(keys, salt):
    """Return a keyed digest of each id, sorted; equal ids have equal ones."""
    blank = hashlib.blake2b(key=salt.encode(), digest_size=DIGEST_SIZE)
    digests = []
    for text in all_encoded(keys):
        mac = blank.copy()
        mac.update(text)
        digests.append(mac.hexdigest())
    digests.sort()
    return tuple(digests)


def request_digest(digests, salt):
    """Return the keyed digest of the digests of subjects."""
    return keyed_digest("\n".join(digests), salt)


def keyed_digest(text, salt):
    """Return the HMAC-SHA256 of a text, in hexadecimal."""
    return hmac.digest(salt.encode(), text.encode(), "sha256").hex()


def _checked_keys(X_ids):
    """Return ids as keys, each once."""
    keys = as_keys(X_ids)
    check_keys(keys, "argument X_ids")
    return list(dict.fromkeys(keys))

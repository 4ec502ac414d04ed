"""Reconstruction: what do the models before and after a request tell about the row between them?"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from scipy.sparse.linalg import norm as sparse_norm
from sklearn.base import BaseEstimator

from sklearn_unlearn._influence.linear.objective import LinearObjective
from sklearn_unlearn._influence.linear.problem import check_linear, is_linear, read_parameters
from sklearn_unlearn._influence.objectives import closed_form_objective
from sklearn_unlearn._inner.pipelines import last_step, split_pipeline
from sklearn_unlearn._records.rows import count_rows
from sklearn_unlearn.metrics._outputs import plain


def reconstruction_risk(
    before: BaseEstimator,
    after: BaseEstimator,
    X: ArrayLike,
    *,
    X_known: ArrayLike | None = None,
    y_known: ArrayLike | None = None,
    n_rows: int | None = None,
) -> float:
    """Return how near a row comes that is reconstructed from two models.

    Whoever has a linear model before and after one row was forgotten has the difference of their
    parameters. From the one to the other, the gradient on other rows changes by a multiple of the
    row, whether it was forgotten by influence or by retraining: what is measured here is a risk of
    publishing both models, not of a method. A row that the model hardly saw hides in what its
    solver left open.

    Parameters
    ----------
    before, after : estimator
        Fitted linear models, alone or behind the same transformers: the one that was trained on the
        row, and the one without it. Of an unlearner ``estimator_`` is taken.

    X : array-like of shape (1, n_features)
        The row, to compare with what is reconstructed.

    X_known : array-like of shape (n_known, n_features), default=None
        Rows that the attacker has, those that remain or others of their kind, on which the
        gradients are measured. None for an attacker who has none, and takes the difference itself.

    y_known : array-like of shape (n_known,), default=None
        Their targets; needed with ``X_known``.

    n_rows : int, default=None
        Number of rows that the models were trained on, as far as the attacker knows it; by default
        that of the known ones.

    Returns
    -------
    float
        Absolute cosine of the angle between the reconstructed row and the row, in features of the
        last step: 1 is the row itself, but for its length.

    Raises
    ------
    TypeError
        If a model is not linear, or only one of ``X_known`` and ``y_known`` is given.

    ValueError
        If X is not one row, or the models have other parameters than each other.

    Notes
    -----
    Costs two passes over the known rows.

    References
    ----------
    .. [1] A. Salem, A. Bhattacharya, M. Backes, M. Fritz, Y. Zhang, "Updates-Leak: Data Set
       Inference and Reconstruction Attacks in Online Learning", USENIX Security 2020,
       :arxiv:`1904.01067`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_unlearn.metrics import reconstruction_risk
    >>> X, y = load_diabetes(return_X_y=True)
    >>> before, after = Ridge().fit(X, y), Ridge().fit(X[1:], y[1:])
    >>> known = reconstruction_risk(before, after, X[:1], X_known=X[1:], y_known=y[1:])
    >>> known > 0.999 > reconstruction_risk(before, after, X[:1])
    True
    """
    before, after = plain(before), plain(after)
    for model in (before, after):
        check_linear(last_step(model))
    if (X_known is None) != (y_known is None):
        raise TypeError("X_known and y_known belong together: rows and their targets.")
    if count_rows(X) != 1:
        raise ValueError(
            f"X has {count_rows(X)} rows; the difference of two models tells one row, and of "
            "several a sum."
        )
    old, new = (read_parameters(last_step(model)) for model in (before, after))
    if old.shape != new.shape:
        raise ValueError(
            f"The models have parameters of shapes {old.shape} and {new.shape}; what is compared "
            "are models of the same classes and features."
        )
    found = old - new
    if X_known is not None:
        found = _bent(closed_form_objective(after, X_known, y_known), old, n_rows)
    transformers, _ = split_pipeline(before)
    row = np.asarray(X, dtype=float) if transformers is None else transformers.transform(X)
    # Each output sees a multiple of the row: the largest part that they have in common. Its sign
    # is left to the attacker, who sees it in the intercepts.
    likely = np.linalg.svd(found[:, :-1], full_matrices=False)[2][0]
    size = sparse_norm(row) if issparse(row) else np.linalg.norm(row)
    return float(abs((row @ likely).item()) / size) if size > 0 else 0.0


def _bent(objective: LinearObjective, old: np.ndarray, n_rows: int | None) -> np.ndarray:
    """Return the gradient that the way from old parameters makes up for."""
    start, end = (each.measured(hessian=False) for each in (objective.at(old), objective))
    share = 1.0 if n_rows is None else n_rows / objective.n_rows
    penalty = start.penalty_gradient() - end.penalty_gradient()
    data = start.gradient() - end.gradient() - penalty
    return share * data + (penalty if objective.problem.scale == "one" else share * penalty)


def reconstructed(
    models: dict[str, list[BaseEstimator]], data: dict[str, tuple[ArrayLike, ArrayLike]]
) -> dict[str, dict[str, list[float]]]:
    """Return the line of a report on one row of a linear model; nothing for other requests.

    Parameters
    ----------
    models : dict of str to list of estimator
        Models of the stages "before", "after" and "refit".

    data : dict of str to tuple of (X, y)
        Rows by kind; the attacker has those that remain.

    Returns
    -------
    dict
        Values by line and stage: from the model before to each of the others.
    """
    (before,), (X, _), (X_known, y_known) = models["before"], data["forgotten"], data["remaining"]
    if count_rows(X) != 1 or not is_linear(last_step(before)):
        return {}
    size = np.size(last_step(before).coef_)
    if any(np.size(last_step(one).coef_) != size for some in models.values() for one in some):
        # A class has left.
        return {}
    found = {
        stage: [reconstruction_risk(before, one, X, X_known=X_known, y_known=y_known) for one in of]
        for stage, of in models.items()
        if stage != "before"
    }
    return {"reconstruction, cosine": {"before": [np.nan], **found}}

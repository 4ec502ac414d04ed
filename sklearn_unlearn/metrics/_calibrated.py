"""An attack that refits calibrate for each row, at the cost of no further model."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.metrics import roc_auc_score

from sklearn_unlearn._records.rows import count_rows, stacked
from sklearn_unlearn.metrics._outputs import plain
from sklearn_unlearn.metrics._placebo import RESOLUTION, surer
from sklearn_unlearn.metrics.membership import confidence


def calibrated_attack(
    models: dict[str, list[BaseEstimator]],
    X_forgotten: ArrayLike,
    y_forgotten: ArrayLike,
    X_unseen: ArrayLike,
    y_unseen: ArrayLike,
) -> dict[str, dict[str, list[float]]]:
    """Attack models by how much surer they are of each row than refits are.

    The refits saw neither kind of row, so a row's mean and spread among them say how sure a model
    is of it that never saw it. A refit is attacked by the others.

    Parameters
    ----------
    models : dict of str to list of estimator
        Models by stage; those of "refit" calibrate.

    X_forgotten : array-like of shape (n_forgotten, n_features)
        Rows of the request.

    y_forgotten : array-like of shape (n_forgotten,)
        Their targets.

    X_unseen : array-like of shape (n_unseen, n_features)
        Rows that no model was trained on.

    y_unseen : array-like of shape (n_unseen,)
        Their targets.

    Returns
    -------
    dict
        For the area under the curve, and the rates of true positives at 1 % and 0.1 % false
        ones as far as there are unseen rows enough, the values by stage.
    """
    n = count_rows(X_forgotten)
    X = stacked([X_forgotten, X_unseen])
    y = np.concatenate([np.asarray(y_forgotten), np.asarray(y_unseen)])
    sure = {
        stage: [confidence(plain(model), X, y) for model in some] for stage, some in models.items()
    }
    refits = np.array(sure["refit"])
    names: dict[str, float | None] = {"calibrated attack, AUC": None}
    names |= {
        f"calibrated attack, TPR at {rate:.1%} FPR": rate
        for rate in (0.01, 0.001)
        if rate * (len(y) - n) >= 1
    }
    found: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    for stage, some in sure.items():
        for number, own in enumerate(some):
            others = np.delete(refits, number, axis=0) if stage == "refit" else refits
            variance = others.var(axis=0, ddof=min(1, len(others) - 1))
            spread = np.sqrt((variance + variance.mean()) / 2 + RESOLUTION**2)
            scores = surer(own, others) / spread
            for name, rate in names.items():
                found[name].setdefault(stage, []).append(_measured(scores, n, rate))
    return found


def _measured(scores: np.ndarray, n: int, rate: float | None) -> float:
    """Return the area under the curve of n members before others, or their rate at one of these."""
    if rate is None:
        return float(roc_auc_score(np.arange(len(scores)) < n, scores))
    # The threshold lets at most that share of the others pass.
    others = np.sort(scores[n:])[::-1]
    return float(np.mean(scores[:n] > others[int(rate * len(others))]))

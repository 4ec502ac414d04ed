"""What models score, lose and give away on the rows of a request."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, is_classifier

from sklearn_unlearn._records.rows import count_rows, take_rows
from sklearn_unlearn.metrics._calibrated import calibrated_attack
from sklearn_unlearn.metrics._outputs import row_losses
from sklearn_unlearn.metrics._table import ATTACKED
from sklearn_unlearn.metrics.membership import both_scores, unseen_like
from sklearn_unlearn.metrics.reconstruction import reconstructed

Data = dict[str, tuple[ArrayLike, ArrayLike]]
# Values of the models of a stage, by stage, by name of the line.
Values = dict[str, dict[str, list[float]]]


def performance_of(
    models: dict[str, list[BaseEstimator]], data: Data, attack: str | Callable
) -> Values:
    """Return score, mean loss and attacks of the models on all rows, by stage.

    Parameters
    ----------
    models : dict of str to list of estimator
        Models of the stages "before", "after" and "refit".

    data : dict of str to tuple of (X, y)
        Rows by kind, those of "unseen" for attacks alone.

    attack : str or callable
        Attack that tells forgotten rows from unseen ones.

    Returns
    -------
    dict
        Values by line and stage, one per model.
    """
    kind = "accuracy" if is_classifier(models["before"][0]) else "R^2"
    found: Values = {}
    for name, (X, y) in data.items():
        if name == "unseen":
            continue
        if kind == "accuracy" or count_rows(X) > 1:
            found[f"{kind}, {name} rows"] = {
                stage: [float(model.score(X, y)) for model in some]
                for stage, some in models.items()
            }
        found[f"loss, {name} rows"] = {
            stage: [float(row_losses(model, X, y).mean()) for model in some]
            for stage, some in models.items()
        }
    seen = (*data["forgotten"], *data["unseen"])
    scores = {
        stage: [both_scores(model, *seen, attack) for model in some]
        for stage, some in models.items()
    }
    for metric in ATTACKED.values():
        found[metric.line] = {
            stage: [metric.value(scores["before"][0], own) for own in some]
            for stage, some in scores.items()
        }
    return found | calibrated_attack(models, *seen) | reconstructed(models, data)


def unseen_rows(model: BaseEstimator, data: Data) -> tuple[ArrayLike, ArrayLike]:
    """Return the test rows to attack against: of a class that left, those of that class."""
    X, y = data["test"]
    if not is_classifier(model) or np.ndim(y) != 1:
        return X, y
    alike = unseen_like(data["forgotten"][1], data["remaining"][1], y)
    return (X, y) if alike is None else (take_rows(X, alike), take_rows(y, alike))

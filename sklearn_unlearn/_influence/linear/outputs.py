"""What a linear model predicts where its raw predictions are given."""

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import is_classifier

from sklearn_unlearn._influence.linear.losses import log_loss


def predictions(objective, raw, model):
    """Return what a fitted linear model predicts where its raw predictions are these."""
    if not is_classifier(model):
        predicted = np.exp(raw) if objective.problem.log_link else raw
        return predicted[:, 0] if np.ndim(model.predict(_one(objective))) == 1 else predicted
    if objective.y.ndim > 1:
        return (raw > 0).astype(model.classes_.dtype)
    codes = (raw[:, 0] > 0).astype(int) if raw.shape[1] == 1 else raw.argmax(axis=1)
    return model.classes_[codes]


def probabilities(objective, raw, model):
    """Return the class probabilities of raw predictions of a fitted linear model.

    Raises a TypeError if the model's loss is not logistic.
    """
    coupled = objective.loss.coupling is not None
    if not is_classifier(model) or not (coupled or objective.loss is log_loss):
        raise TypeError(
            f"{type(model).__name__} has no logistic loss; use loo_predict, or LogisticRegression."
        )
    if coupled:
        return softmax(raw, axis=1)
    p = expit(raw)
    return np.hstack([1 - p, p]) if p.shape[1] == 1 else p / p.sum(axis=1, keepdims=True)


def _one(objective):
    """Return the features of one row."""
    return objective.features.without_marks()(objective.rows.take(np.arange(1)))

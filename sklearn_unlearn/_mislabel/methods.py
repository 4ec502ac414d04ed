"""The ways of scoring a label."""

from numbers import Integral

import numpy as np
from sklearn.base import clone, is_classifier

from sklearn_unlearn._influence.linear.leave_one_out import leave_one_out
from sklearn_unlearn._influence.linear.outputs import predictions, probabilities
from sklearn_unlearn._inner.pipelines import last_step
from sklearn_unlearn._mislabel.scores import (
    MAX_DEVIATIONS,
    count_wrong_labels,
    label_losses,
    residual_scores,
)
from sklearn_unlearn._records.rows import take_rows


def judge(model, outside, y, codes):
    """Return scores, predictions and numbers of wrong labels, by given predictions."""
    if codes is None:
        scores = residual_scores(outside, y)
        return scores, outside, np.array([(scores > MAX_DEVIATIONS).sum()])
    labels = model.classes_[outside.argmax(axis=1)]
    return label_losses(outside, codes), labels, count_wrong_labels(outside, codes)


def left_out(model, objective, codes):
    """Return what a linear model says of each row without that row."""
    output = probabilities if codes is not None else predictions
    return output(objective, leave_one_out(objective), last_step(model))


def one_criterion(psi):
    """Return influences on the sum of all criteria."""
    return psi if psi.ndim == 1 else psi.sum(axis=1)


def known_influences(unlearner, n_rows):
    """Return the influences of a fitted unlearner's rows."""
    psi = one_criterion(unlearner.influence())
    if len(psi) != n_rows:
        raise ValueError(
            f"The fitted {type(unlearner).__name__} has {len(psi)} rows, y has {n_rows}. Pass the "
            "rows that it was fitted on and has not forgotten, or pass it unfitted."
        )
    return psi


def over_epochs(last, Z, y, codes, trained):
    """Return mean margins and mean probabilities of all rows over a training on some.

    Parameters
    ----------
    last : estimator
        Fitted classifier with ``partial_fit``; not changed.

    Z : array-like of shape (n_samples, n_features)
        What it takes.

    y : ndarray of shape (n_samples,)
        Labels.

    codes : ndarray of int of shape (n_samples,)
        Their class numbers.

    trained : ndarray of int
        Rows to train on.

    Returns
    -------
    margins : ndarray of shape (n_samples,)
        Logarithm of the label's probability minus that of the best other class.

    probabilities : ndarray of shape (n_samples, n_classes)
        Class probabilities.
    """
    model, some = clone(last), (take_rows(Z, trained), y[trained])
    check_probabilities(last)
    net = getattr(model, "net", None)
    n_epochs = net.max_epochs if net is not None else getattr(last, "n_iter_", 20)
    if net is not None:
        model.set_params(net__max_epochs=1)
    seed = model.random_state if isinstance(model.random_state, Integral) else None
    rows, tiny = np.arange(len(codes)), np.finfo(float).tiny
    margins, total = np.zeros(len(codes)), np.zeros((len(codes), len(last.classes_)))
    for epoch in range(n_epochs):
        if net is not None and seed is not None:
            # One seed would give all epochs the same order.
            model.set_params(random_state=(seed + epoch) % 2**32)
        model.partial_fit(*some, classes=last.classes_)
        # Where all outputs of a one-versus-rest model are zero, none is more likely.
        with np.errstate(invalid="ignore"):
            p = np.nan_to_num(model.predict_proba(Z), nan=1 / len(last.classes_))
        total += p
        logs = np.log(np.maximum(p, tiny))
        own = logs[rows, codes]
        logs[rows, codes] = -np.inf
        margins += own - logs.max(axis=1)
    return margins / n_epochs, total / n_epochs


def set_aside(scores, n_wrong, codes):
    """Return the rows that the next round of trimming sets aside.

    Of each class as many as are estimated to be wrong, and no more than half: by one ranking
    of all rows, a rare class would lose its right labels first.
    """
    if codes is None:
        return np.argsort(-scores, kind="stable")[: n_wrong[0]]
    aside = []
    for code, n in enumerate(np.minimum(n_wrong, np.bincount(codes) // 2)):
        rows = np.flatnonzero(codes == code)
        aside.append(rows[np.argsort(-scores[rows], kind="stable")[:n]])
    return np.concatenate(aside)


def check_probabilities(model):
    """Raise unless a classifier gives probabilities."""
    if not hasattr(model, "predict_proba"):
        raise TypeError(
            f"{type(last_step(model)).__name__} has no predict_proba, which scores of labels need."
            " Calibrate it (sklearn.calibration.CalibratedClassifierCV), or use another estimator."
        )


def fitted_output(model, X, y=None):
    """Return what a fitted model says of the rows that it was trained on."""
    if not is_classifier(model):
        return model.predict(X)
    check_probabilities(model)
    return model.predict_proba(X)


def out_of_bag(model, X, y):
    """Return the out-of-bag output of a fitted ensemble."""
    last = last_step(model)
    name = "oob_decision_function_" if is_classifier(model) else "oob_prediction_"
    if not hasattr(last, name):
        raise TypeError(
            f'{type(last).__name__} has no {name}: method="oob" needs a forest or bagging '
            "estimator with oob_score=True and bootstrap=True."
        )
    outside = getattr(last, name)
    never_out = is_classifier(model) and (outside.sum(axis=1) == 0).any()
    if never_out or not np.isfinite(outside).all():
        raise ValueError(
            f"Some rows were in every bag of the {type(last).__name__}. Use more estimators."
        )
    return outside

"""The ways of scoring a label: one function each, by name in ``METHODS``.

A method takes the model that was fitted on all rows, the rows, their labels, the class numbers
of these (None for targets of a regressor) and the :class:`Settings`; it returns what it
:class:`Judged`.
"""

import warnings
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.utils import check_random_state

from sklearn_unlearn._influence.linear.leave_one_out import leave_one_out
from sklearn_unlearn._influence.linear.outputs import predictions, probabilities
from sklearn_unlearn._influence.linear.steps import approach
from sklearn_unlearn._influence.objectives import closed_form_objective, objective_of
from sklearn_unlearn._inner.pipelines import last_step, split_pipeline
from sklearn_unlearn._mislabel.costs import N_STEPS, times_cross_validation
from sklearn_unlearn._mislabel.epochs import over_epochs
from sklearn_unlearn._mislabel.members import to_have_probabilities, way_of
from sklearn_unlearn._mislabel.noise import labels_tell, sure_counts
from sklearn_unlearn._mislabel.pool import PooledClassifier, PooledRegressor
from sklearn_unlearn._mislabel.progress import timed_step
from sklearn_unlearn._mislabel.residuals import count_wrong_targets
from sklearn_unlearn._mislabel.scores import (
    count_wrong_labels,
    label_losses,
    residual_scores,
)
from sklearn_unlearn._records.rows import take_rows
from sklearn_unlearn.puma import PUMAUnlearner

# n_rounds="auto": how many rounds there may be, and by what share each of "loo" has to lower the
# number of labels that the model disagrees with, judged out of sample.
MAX_ROUNDS, LEAST_GAIN = 2, 0.03
# Leave-one-out that costs so many times what cross-validation does is done with a warning.
TOO_DEAR = 10


@dataclass(frozen=True)
class Settings:
    """What the methods take from the parameters of the detector.

    Parameters
    ----------
    estimator : estimator
        Unfitted classifier or regressor, or the PUMAUnlearner that the user gave.

    n_rounds : int or "auto", default="auto"
        Rounds of trimming.

    cv : int, default=5
        Number of folds.

    n_jobs : int, default=None
        Number of jobs.

    verbose : int, default=0
        Whether rounds are told.

    random_state : int, RandomState instance or None, default=None
        Draws folds and halves.
    """

    estimator: BaseEstimator
    n_rounds: int | Literal["auto"] = "auto"
    cv: int = 5
    n_jobs: int | None = None
    verbose: int = 0
    random_state: int | np.random.RandomState | None = None


class Judged(NamedTuple):
    """What a method returns.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        High for suspicious labels.

    predicted : ndarray of shape (n_samples,)
        Labels or targets in their place.

    n_wrong : ndarray of int of shape (n_classes,)
        Estimated number of wrong labels of each class; of shape (1,) for a regressor.

    outside : ndarray of shape (n_samples, n_classes) or None, default=None
        Class probabilities by models that have not seen the rows; None if there are none.
    """

    scores: np.ndarray
    predicted: np.ndarray
    n_wrong: np.ndarray
    outside: np.ndarray | None = None


def choose(model, X, y, settings):
    """Return the name of the method that suits a fitted model, at a cost that it is worth."""
    if isinstance(model, (PooledClassifier, PooledRegressor)):
        return "pool"
    return way_of(model, X, y, settings.cv, _most_rounds(model, settings))


def _most_rounds(model, settings):
    """Return how many rounds of trimming leave-one-out makes at most."""
    if settings.n_rounds == "auto":
        return MAX_ROUNDS if is_classifier(model) else 0
    return settings.n_rounds


def by_pool(model, X, y, codes, settings):
    """Score labels by their posteriors, by a pool of models that have not seen their rows."""
    if not isinstance(model, (PooledClassifier, PooledRegressor)):
        raise TypeError(f'{type(model).__name__} is no pool of models; use method="cross_val".')
    if codes is None:
        return judge(model, model.outside_, y, None)
    n_wrong = count_wrong_labels(model.outside_, codes)
    predicted = model.classes_[model.label_proba_.argmax(axis=1)]
    scores = label_losses(model.label_proba_, codes)
    return Judged(scores, predicted, n_wrong, model.outside_)


def by_leave_one_out(model, X, y, codes, settings):
    """Score labels by their losses without their rows, after the rounds of trimming."""
    objective = whole = closed_form_objective(model, X, y)
    judged = judge(model, left_out(model, objective, codes), y, codes)
    chosen, n_rounds = settings.n_rounds == "auto", _most_rounds(model, settings)
    last, shape = last_step(model), np.shape(objective.theta)
    times = times_cross_validation(last, X, shape, settings.cv, n_rounds)
    if objective.keeps_hessian and times > TOO_DEAR:
        warnings.warn(
            f"Leave-one-out costs about {times:.0f} times what cross-validation does here; "
            'method="auto" or "cross_val" takes the cheaper.',
            UserWarning,
            stacklevel=4,
        )
    first = judged
    for turn in range(n_rounds):
        aside = set_aside(judged.scores, judged.n_wrong, codes)
        if not len(aside):
            break
        with timed_step(f"round {turn + 1} of {n_rounds} at most", settings.verbose):
            objective = approach(whole.without(aside), N_STEPS)
            again = judge(model, left_out(model, objective, codes), y, codes)
        if chosen:
            before, after = ((found.predicted != y).sum() for found in (judged, again))
            if after > (1 - LEAST_GAIN) * before:
                break
        judged = again
    # A model without the rows that it disagrees with agrees with the rest, whatever the labels.
    told = codes is None or labels_tell(sure_counts(first.outside, codes), codes)
    return judged if told else first


def by_cross_validation(model, X, y, codes, settings):
    """Score labels by the losses of models of other folds."""
    rng = check_random_state(settings.random_state)
    seed = rng.randint(2**31 - 1)
    n_folds, output, splitter = settings.cv, "predict", KFold
    if codes is not None:
        output, splitter = "predict_proba", StratifiedKFold
        n_folds = min(n_folds, np.bincount(codes).min())
        check_probabilities(model)
    folds = splitter(n_folds, shuffle=True, random_state=seed)
    outside = cross_val_predict(clone(model), X, y, cv=folds, method=output, n_jobs=settings.n_jobs)
    return judge(model, outside, y, codes)


def by_bags(model, X, y, codes, settings):
    """Score labels by their out-of-bag losses."""
    return judge(model, out_of_bag(model), y, codes)


def by_margins(model, X, y, codes, settings):
    """Score labels by their margins over a training, after the rounds of trimming."""
    if codes is None or not hasattr(last_step(model), "partial_fit"):
        raise TypeError(
            f"{type(last_step(model)).__name__} is no classifier with partial_fit, which "
            'method="aum" trains epoch by epoch. Use method="cross_val".'
        )
    check_probabilities(model)
    transformers, last = split_pipeline(model)
    Z = X if transformers is None else transformers.transform(X)
    n_rounds = MAX_ROUNDS if settings.n_rounds == "auto" else settings.n_rounds
    trained = np.arange(len(y))
    for turn in range(n_rounds + 1):
        with timed_step(f"round {turn + 1} of {n_rounds + 1}", settings.verbose):
            margins, outside, _ = over_epochs(last, Z, y, codes, trained)
        judged = judge(last, outside, y, codes)._replace(scores=-margins, outside=None)
        if turn < n_rounds:
            aside = set_aside(judged.scores, judged.n_wrong, codes)
            trained = np.setdiff1d(np.arange(len(y)), aside)
    return judged


def by_loss(model, X, y, codes, settings):
    """Score labels by the losses of the model that was trained on them."""
    return judge(model, fitted_output(model, X), y, codes)._replace(outside=None)


def by_self_influence(model, X, y, codes, settings):
    """Score labels by how much training on a row lowers its own loss."""
    objective = objective_of(model, X, y)
    scores = objective.self_influence()
    if objective.has_closed_form:
        outside = left_out(model, objective, codes)
    else:
        outside = fitted_output(model, X)
    judged = judge(model, outside, y, codes)._replace(scores=scores)
    return judged if objective.has_closed_form else judged._replace(outside=None)


def by_influence(model, X, y, codes, settings):
    """Score labels by how much the loss of other rows would fall without their row."""
    judged = by_loss(model, X, y, codes, settings)
    return judged._replace(scores=-influences(X, y, settings))


# A new method is a function above, its line here, and its lines in the docstring of
# MislabelDetector, in the same order.
METHODS = {
    "pool": by_pool,
    "loo": by_leave_one_out,
    "cross_val": by_cross_validation,
    "oob": by_bags,
    "aum": by_margins,
    "loss": by_loss,
    "self_influence": by_self_influence,
    "influence": by_influence,
}
# Methods that make rounds, of trimming or of weighted refits.
WITH_ROUNDS = ("pool", "loo", "aum")


def check_rounds(n_rounds, method):
    """Raise if there are to be rounds, and the method makes none."""
    if n_rounds and method not in ("auto", *WITH_ROUNDS):
        needed = " or ".join(f'"{name}"' for name in WITH_ROUNDS)
        raise ValueError(f"n_rounds={n_rounds} needs method={needed}; got method={method!r}.")


def by_callable(method, model, X, y, codes):
    """Score labels by a callable of the user, and judge the rest by the fitted model."""
    scores = np.asarray(method(model, X, y))
    if scores.shape != (len(y),) or scores.dtype.kind not in "biuf":
        raise ValueError(
            f"method={method!r} must return one number per row, an array of shape ({len(y)},); "
            f"got shape {scores.shape} and dtype {scores.dtype}."
        )
    scores = scores.astype(float)
    finite = np.isfinite(scores)
    if not finite.all():
        raise ValueError(
            f"method={method!r} must return finite scores; {np.sum(~finite)} of {len(y)} are not, "
            f"the first in row {int(np.argmin(finite))}."
        )
    if codes is not None and not hasattr(model, "predict_proba"):
        predicted = model.predict(X)
        n_wrong = np.bincount(codes[predicted != y], minlength=len(model.classes_))
        return Judged(scores, predicted, n_wrong)
    # The user's scores need not be those of the model's probabilities.
    judged = judge(model, fitted_output(model, X), y, codes)
    return judged._replace(scores=scores, outside=None)


def judge_as_asked(method, model, X, y, codes, settings):
    """Return the method, for "auto" the one that suits the model, and what it says of labels."""
    chosen = choose(model, X, y, settings) if method == "auto" else method
    try:
        with timed_step(f"labels scored by {chosen!r}", settings.verbose):
            return chosen, judge_by(chosen, model, X, y, codes, settings)
    except ValueError:
        if method != "auto" or chosen != "loo":
            raise
    # A solver may have stopped where no Newton step leads anywhere, as SGD does on features that
    # aren't scaled. Folds ask no more of a model than that it predicts.
    return judge_as_asked("cross_val", model, X, y, codes, settings)


def judge_by(method, model, X, y, codes, settings):
    """Return what a method, by name or a callable, says of all labels."""
    if callable(method):
        return by_callable(method, model, X, y, codes)
    return METHODS[method](model, X, y, codes, settings)


def judge(model, outside, y, codes):
    """Return scores, predictions and numbers of wrong labels, by given predictions."""
    if codes is None:
        scores = residual_scores(outside, y)
        return Judged(scores, outside, np.array([count_wrong_targets(scores)]))
    labels = model.classes_[outside.argmax(axis=1)]
    n_wrong = count_wrong_labels(outside, codes)
    return Judged(label_losses(outside, codes), labels, n_wrong, outside)


def left_out(model, objective, codes):
    """Return what a linear model says of each row without that row."""
    output = probabilities if codes is not None else predictions
    return output(objective, leave_one_out(objective), last_step(model))


def influences(X, y, settings):
    """Return the influence of each row on the loss of the other half of the rows.

    A fitted PUMAUnlearner tells those that it has.
    """
    rng = check_random_state(settings.random_state)
    seed, psi = rng.randint(2**31 - 1), np.empty(len(y))
    unlearner = settings.estimator
    if not isinstance(unlearner, PUMAUnlearner):
        unlearner = PUMAUnlearner(unlearner, random_state=seed)
    elif hasattr(unlearner, "estimator_"):
        return known_influences(unlearner, len(y))
    splitter = StratifiedKFold if is_classifier(unlearner) else KFold
    for rows, others in splitter(2, shuffle=True, random_state=seed).split(X, y):
        half = clone(unlearner).fit(
            take_rows(X, rows), y[rows], X_val=take_rows(X, others), y_val=y[others]
        )
        psi[rows] = one_criterion(half.influence())
    return psi


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
            f" {to_have_probabilities(model)}, or use another estimator."
        )


def fitted_output(model, X):
    """Return what a fitted model says of the rows that it was trained on."""
    if not is_classifier(model):
        return model.predict(X)
    check_probabilities(model)
    return model.predict_proba(X)


def out_of_bag(model):
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

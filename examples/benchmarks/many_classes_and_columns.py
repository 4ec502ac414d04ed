"""
What do many classes, many columns, text and networks cost, in units of a refit?

Out-of-sample predictions of every row by ``loo_predict_proba``, next to five fits as
cross-validation makes them; the first request to a PUMAUnlearner and later ones, next to the
inner model's own fit. The rows are seeded; text-like rows have word counts by Zipf's law, scaled
as tf-idf does. CPU time of one process, medians, all figures of a line from one run. Distances of
text models are to the optimum of the rows that remain, in units of how far the rows of the
request moved it.

``python examples/benchmarks/many_classes_and_columns.py`` runs in a few minutes on one core
(set ``OMP_NUM_THREADS=1``), ``--only classes`` and so on one part; ``--json`` prints the raw
figures.
"""

import argparse
import json
import sys
import warnings
from time import process_time

import numpy as np
from scipy import sparse
from scipy.linalg import cholesky
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner, loo_predict_proba

CLASSES = ((5_000, 50, 10), (50_000, 20, 10), (20_000, 16, 26), (10_000, 20, 50), (20_000, 50, 3))
COLUMNS = ((8_000, 1_000), (500, 2_000))
TEXTS = ((20_000, 30_000, 90), (20_000, 50_000, 60), (100_000, 50_000, 40))


def seconds(call, repeats=1):
    """Return the median CPU seconds of calls."""
    times = []
    for _ in range(repeats):
        start = process_time()
        call()
        times.append(process_time() - start)
    return float(np.median(times))


def make_classes(n_rows, n_features, n_classes):
    """Return seeded rows of many classes, scaled."""
    informative = min(n_features, 12)
    X, y = make_classification(
        n_rows, n_features, n_informative=informative, n_classes=n_classes,
        n_clusters_per_class=1, random_state=0, flip_y=0.05,
    )  # fmt: skip
    return StandardScaler().fit_transform(X), y


def make_text(n_rows, n_columns, n_words, seed=0):
    """Return seeded rows as tf-idf makes them of word counts, and two classes."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, n_columns + 1)
    words = rng.choice(n_columns, size=(n_rows, n_words), p=share / share.sum())
    rows = np.repeat(np.arange(n_rows), n_words)
    X = sparse.csr_array((np.ones(words.size), (rows, words.ravel())), shape=(n_rows, n_columns))
    X.sum_duplicates()
    # As vectorizers make them.
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    rare = np.log(n_rows / (1 + np.bincount(X.indices, minlength=n_columns))) + 1
    X.data = (1 + np.log(X.data)) * rare[X.indices]
    lengths = np.sqrt((X * X).sum(axis=1))
    X = sparse.csr_array(sparse.diags_array(1 / lengths) @ X)
    z = X @ (rng.standard_normal(n_columns) * (rng.random(n_columns) < 0.2))
    return X, (z + 0.3 * rng.standard_normal(n_rows) > np.median(z)).astype(int)


def make_columns(n_rows, n_columns, seed=0):
    """Return seeded rows of correlated columns, and values."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_columns)) + rng.standard_normal((n_rows, 1))
    return X, X @ rng.standard_normal(n_columns) / 20 + rng.standard_normal(n_rows)


def requests(model, X, y, sizes, refit, **params):
    """Return seconds of the first request and medians of later ones by size, over a refit's."""
    unlearner = PUMAUnlearner(model, random_state=0, **params).fit(X, y)
    left = iter(range(X.shape[0]))

    def forget(k):
        unlearner.partial_forget([next(left) for _ in range(k)])

    figures = {"first": seconds(lambda: forget(3)) / refit}
    for k in sizes:
        figures[f"forget {k}"] = seconds(lambda k=k: forget(k), 5) / refit
        figures[f"forget {k}, ms"] = 1000 * figures[f"forget {k}"] * refit
    return figures


def distances(model, X, y):
    """Return how far a later request for 3 rows, and a refit, end from the optimum."""
    tight = clone(model).set_params(solver="newton-cg", tol=1e-11, max_iter=1000)
    before, optimum = (tight.fit(X[k:], y[k:]).coef_.copy() for k in (3, 6))
    naive = PUMAUnlearner(model, reweight=None).fit(X, y).partial_forget(range(3))
    ends = {
        "naive": naive.partial_forget(range(3, 6)).estimator_.coef_,
        "refit": model.fit(X[6:], y[6:]).coef_,
    }
    effect = np.linalg.norm(before - optimum)
    return {f"{k}, distance": np.linalg.norm(end - optimum) / effect for k, end in ends.items()}


def classes():
    """Yield the figures of multinomial models."""
    tables = [(f"{n:,} x {d}, {k} classes", make_classes(n, d, k)) for n, d, k in CLASSES]
    digits, labels = load_digits(return_X_y=True)
    tables = [("digits", (StandardScaler().fit_transform(digits), labels)), *tables]
    for name, (X, y) in tables:
        model = LogisticRegression(max_iter=1000)
        fit = seconds(lambda: model.fit(X, y), 3)  # noqa: B023
        alone = seconds(lambda: loo_predict_proba(model, X, y), 3)  # noqa: B023
        figures = {"fit, s": fit, "fit + leave-one-out, of five fits": (fit + alone) / (5 * fit)}
        for form, params in (("default", {}), ("naive", {"reweight": None})):
            runs = [requests(model, X, y, (1,), fit, **params) for _ in range(3)]
            for key in runs[0]:
                figures[f"{form}, {key}"] = float(np.median([run[key] for run in runs]))
        yield name, figures


def columns():
    """Yield the figures of models of many columns, next to a bare factor of their Hessian."""
    for n_rows, n_columns in COLUMNS:
        X, z = make_columns(n_rows, n_columns)
        whole = X.T @ X
        whole.flat[:: n_columns + 1] += 1
        for model, y in ((LogisticRegression(max_iter=1000), z > 0), (Ridge(), z)):
            fit = seconds(lambda: clone(model).fit(X, y), 3)  # noqa: B023
            bare = seconds(lambda: cholesky(whole, lower=True, check_finite=False), 5)  # noqa: B023
            figures = {"fit, s": fit, "bare factor, ms": 1000 * bare}
            for name, params in (("naive", {"reweight": None}), ("default", {})):
                found = requests(model, X, y, (1, 10), fit, **params)
                figures |= {f"{name}, {key}": value for key, value in found.items()}
            yield f"{n_rows:,} x {n_columns:,}, {type(model).__name__}", figures


def text():
    """Yield the figures of text-like rows."""
    for n_rows, n_columns, n_words in TEXTS:
        X, y = make_text(n_rows, n_columns, n_words)
        for C in (1.0, 10.0):
            model = LogisticRegression(C=C, max_iter=1000)
            fit = seconds(lambda: model.fit(X, y), 3)  # noqa: B023
            figures = {"fit, s": fit}
            for name, params in (("default", {}), ("naive", {"reweight": None})):
                found = requests(model, X, y, (3,), fit, **params)
                figures |= {f"{name}, {key}": value for key, value in found.items()}
            yield f"{n_rows:,} x {n_columns:,}, C={C:g}", figures | distances(model, X, y)


def networks():
    """Yield the figures of a network of 2,949 parameters; skorch and torch are needed."""
    import skorch
    import torch

    torch.set_num_threads(1)
    X, y = make_classification(
        20_000, 40, n_informative=12, n_classes=5, flip_y=0.1, random_state=0
    )
    X = X.astype(np.float32)
    for solver in ("auto", "dense"):
        torch.manual_seed(0)
        module = torch.nn.Sequential(
            torch.nn.Linear(40, 64), torch.nn.Tanh(), torch.nn.Linear(64, 5)
        )
        net = skorch.NeuralNetClassifier(
            module, criterion=torch.nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=3e-3,
            max_epochs=20, batch_size=128, train_split=None, verbose=0,
        )  # fmt: skip
        fit = seconds(lambda: net.fit(X, y))  # noqa: B023
        figures = requests(net, X, y, (1, 20), fit, reweight=None, solver=solver)
        yield f"20,000 x 40, solver={solver!r}", {"fit, s": fit, **figures}


PARTS = {"classes": classes, "columns": columns, "text": text, "networks": networks}


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--json", action="store_true", help="print the raw figures")
    options = parser.parse_args()
    figures = {}
    for part in options.only or PARTS:
        for name, found in PARTS[part]():
            figures[f"{part}: {name}"] = found
            shown = ", ".join(f"{key} {value:.3g}" for key, value in found.items())
            print(f"{part}: {name}: {shown}", file=sys.stderr if options.json else sys.stdout)
    if options.json:
        json.dump(figures, sys.stdout, indent=1)
    else:
        print("\nAll but seconds, milliseconds and distances are multiples of the time of a refit.")


if __name__ == "__main__":
    warnings.simplefilter("ignore", ConvergenceWarning)
    main()

"""
What does a request cost where a model forgets in closed form?

CPU time of a refit, of the first request, which reads all rows once, and of later ones, each for a
single row, beside the largest difference of a fitted attribute from a fresh fit: of naive Bayes
models, discriminant analyses, nearest centroids and dummies, alone and in pipelines, as
:class:`~sklearn_unlearn.baselines.RetrainUnlearner` lets them forget. Nearest neighbours and kernel
densities, whose fit is a copy of the rows, are shown for comparison.

``python examples/benchmarks/closed_forms.py`` runs in a minute; ``--small`` in a few seconds.
``--out figures.csv`` writes the table. Set ``OMP_NUM_THREADS=1``, lest threads that wait count.
"""

import argparse
import csv
import warnings
from time import process_time

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.dummy import DummyClassifier
from sklearn.naive_bayes import (
    BernoulliNB,
    CategoricalNB,
    ComplementNB,
    GaussianNB,
    MultinomialNB,
)
from sklearn.neighbors import KernelDensity, KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_unlearn.baselines import RetrainUnlearner

# Model, and which rows it gets.
MODELS = {
    "MultinomialNB": (MultinomialNB(), "counts"),
    "MultinomialNB, sparse": (MultinomialNB(), "sparse"),
    "ComplementNB": (ComplementNB(), "counts"),
    "BernoulliNB": (BernoulliNB(), "counts"),
    "CategoricalNB": (CategoricalNB(), "categories"),
    "GaussianNB": (GaussianNB(), "reals"),
    "GaussianNB, weighted": (GaussianNB(), "reals, weighted"),
    "StandardScaler, GaussianNB": (make_pipeline(StandardScaler(), GaussianNB()), "reals"),
    "OneHotEncoder, BernoulliNB": (
        make_pipeline(OneHotEncoder(handle_unknown="ignore"), BernoulliNB()),
        "categories",
    ),
    "LDA, lsqr": (LinearDiscriminantAnalysis(solver="lsqr"), "reals"),
    "LDA, eigen": (LinearDiscriminantAnalysis(solver="eigen"), "reals"),
    "LDA, svd": (LinearDiscriminantAnalysis(), "reals"),
    "QDA": (QuadraticDiscriminantAnalysis(), "reals"),
    "NearestCentroid": (NearestCentroid(), "reals"),
    "DummyClassifier": (DummyClassifier(), "reals"),
    "KNeighborsClassifier, brute": (KNeighborsClassifier(algorithm="brute"), "reals"),
    "KernelDensity": (KernelDensity(), "reals"),
}
FIELDS = ("model", "n_rows", "refit_ms", "first_ms", "later_ms", "ratio", "difference", "how")


# No more requests are made than this many milliseconds take.
MAX_MS = 2000


def make_rows(kind, n_rows, n_features=50, seed=0):
    """Return seeded rows of a kind, labels of five classes, and weights or None."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 5, n_rows)
    rates = 0.2 + rng.gamma(1.0, 1.0, (5, n_features))
    if kind == "categories":
        return np.minimum(rng.poisson(rates[y]), 7), y, None
    if kind in ("counts", "sparse"):
        X = rng.poisson(rates[y]).astype(float)
        return sparse.csr_matrix(np.where(X > 1, X, 0)) if kind == "sparse" else X, y, None
    X = rng.standard_normal((n_rows, n_features)) * rates[0] + rates[y]
    return X, y, rng.uniform(0.5, 2, n_rows) if "weighted" in kind else None


def cpu_ms(call):
    """Return the milliseconds of CPU time that a call takes."""
    start = process_time()
    call()
    return 1e3 * (process_time() - start)


def differences(model, fresh):
    """Return the relative differences of all fitted arrays of two models, but for axes."""
    parts = zip(getattr(model, "steps", [("", model)]), getattr(fresh, "steps", [("", fresh)]))
    for (_, one), (_, other) in parts:
        for name, wanted in vars(other).items():
            if not name.endswith("_") or name in ("rotations_", "scalings_", "tree_"):
                continue
            values, wanted = getattr(one, name), wanted
            if not isinstance(wanted, list):
                values, wanted = [values], [wanted]
            for a, b in zip(map(np.asarray, values), map(np.asarray, wanted)):
                if b.dtype.kind == "f" and b.size:
                    yield np.abs(a - b).max() / max(np.abs(b).max(), np.finfo(float).tiny)


def measured(name, n_rows, n_requests):
    """Return a row of the table."""
    inner, kind = MODELS[name]
    X, y, weights = make_rows(kind, n_rows)
    params = {} if weights is None else {"sample_weight": weights}
    refit = np.median([cpu_ms(lambda: clone(inner).fit(X, y, **params)) for _ in range(3)])
    model = RetrainUnlearner(inner).fit(X, y, **params)
    first = cpu_ms(lambda: model.partial_forget([0]))
    later = []
    for row in range(1, n_requests + 1):
        later.append(cpu_ms(lambda row=row: model.partial_forget([row])))
        if sum(later) > MAX_MS and len(later) > 2:
            break
    left = model.rows_of()
    fresh = clone(inner).fit(X[left], y[left], **{key: w[left] for key, w in params.items()})
    return {
        "model": name,
        "n_rows": n_rows,
        "refit_ms": round(refit, 1),
        "first_ms": round(first, 1),
        "later_ms": round(np.median(later), 2),
        "ratio": round(refit / np.median(later), 1),
        "difference": f"{max(differences(model.estimator_, fresh), default=0.0):.0e}",
        "how": model.receipts_[-1].stopped_because,
    }


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--small", action="store_true", help="2,000 rows and few requests")
    parser.add_argument("--out", help="write the table to this CSV file")
    args = parser.parse_args()
    size = (2_000, 5) if args.small else (100_000, 200)
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for name in MODELS:
            rows.append(measured(name, *size))
            print(*(f"{key} {value}" for key, value in rows[-1].items()), sep="  ", flush=True)
    if args.out:
        with open(args.out, "w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()

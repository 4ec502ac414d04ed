"""
How fast is forgetting with a linear model, and how close to the optimum does it end?

Logistic regression and ridge on n rows x 100 features, and logistic regression on text-like
sparse rows, forgetting k rows. The table shows seconds, and the distance of every parameter
vector to the optimum of the remaining rows, in units of the effect: how far the optimum moves when
the rows leave. A model that has not forgotten is at 1.

``python examples/benchmarks/linear_forgetting.py`` runs all sizes in some minutes and 5 GB;
``--max-rows 100000`` runs in one minute. ``--json`` prints the raw figures.
"""

import argparse
import json
import sys
import tracemalloc
from time import perf_counter

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge

from sklearn_unlearn import PUMAUnlearner

N_FEATURES = 100
# The model as users write it, the one that finds the optimum, a warm-started refit.
MODELS = {
    "logistic": (
        LogisticRegression(),
        LogisticRegression(solver="newton-cholesky", tol=1e-12),
        LogisticRegression(warm_start=True),
    ),
    "ridge": (Ridge(), Ridge(solver="cholesky"), None),
    "text": (
        LogisticRegression(),
        LogisticRegression(solver="newton-cg", tol=1e-9, max_iter=1000),
        LogisticRegression(warm_start=True),
    ),
}


def make_rows(kind, n_rows, n_features, seed=0):
    """Return seeded rows and targets of a noisy linear model."""
    rng = np.random.default_rng(seed)
    if kind == "text":
        # Word counts by Zipf's law, 100 words a row, each row about as long as after tf-idf.
        words = np.minimum(rng.zipf(1.3, (n_rows, 100)) - 1, n_features - 1)
        rows = np.repeat(np.arange(n_rows), 100)
        X = sparse.csr_matrix(
            (np.full(rows.size, 0.1), (rows, words.ravel())), shape=(n_rows, n_features)
        )
        z = X @ rng.standard_normal(n_features) + 0.3 * rng.standard_normal(n_rows)
        return X, (z > np.median(z)).astype(int)
    X = rng.standard_normal((n_rows, n_features))
    coef = rng.standard_normal(n_features) / np.sqrt(n_features)
    z = X @ coef + rng.standard_normal(n_rows)
    return X, (z > 0).astype(int) if kind == "logistic" else z


def seconds(call):
    """Return the seconds that a call takes."""
    start = perf_counter()
    call()
    return perf_counter() - start


def parameters(model):
    """Return coefficients and intercept as one vector."""
    return np.append(np.ravel(model.coef_), np.ravel(model.intercept_))


def distance(model, optimum):
    """Return the relative distance of a model's parameters to an optimum."""
    return float(np.linalg.norm(parameters(model) - optimum) / np.linalg.norm(optimum))


def removal(unlearner, X, y, requests):
    """Return seconds of fit and of each request."""
    times = [seconds(lambda: unlearner.fit(X, y))]
    times.extend(seconds(lambda ids=ids: unlearner.partial_forget(ids)) for ids in requests)
    return times


def one_case(kind, X, y, k, repeats):
    """Return the figures of one table row."""
    base, tight, warm = MODELS[kind]
    n_rows = X.shape[0]
    shuffled = np.random.default_rng(1).permutation(n_rows)
    other, gone = shuffled[:1], shuffled[1 : k + 1]
    bare = np.median([seconds(lambda: clone(base).fit(X, y)) for _ in range(repeats)])
    # The first request forgets one other row and makes what later requests use.
    naive = PUMAUnlearner(base, reweight=None)
    times = [removal(naive, X, y, [other, gone]) for _ in range(repeats)]
    fit, first, later = np.median(times, axis=0).tolist()
    naive_model = naive.estimator_
    del naive
    # Only a request that is predicted to cost performance is compensated, with a look at all
    # rows: about every second one. The median of the slower half stands for these.
    sets = [shuffled[1 + i * k : 1 + (i + 1) * k] for i in range(min(8, n_rows // (4 * k) or 1))]
    puma = removal(PUMAUnlearner(base, random_state=0), X, y, [other, *sets])
    slower = float(np.median(sorted(puma[2:])[len(sets) // 2 :]))
    warm_model = None if warm is None else clone(warm).fit(X, y)
    before = parameters(clone(tight).fit(X, y))
    left = np.sort(shuffled[k + 1 :])
    X, y = X[left], y[left]
    optimum = parameters(clone(tight).fit(X, y))
    refitted = clone(base)
    refit = np.median([seconds(lambda: refitted.fit(X, y)) for _ in range(repeats)])
    return {
        "model": kind,
        "n_rows": n_rows,
        "forgotten": k,
        "refit_s": float(refit),
        "warm_refit_s": None if warm is None else seconds(lambda: warm_model.fit(X, y)),
        "naive_s": later,
        "naive_first_s": first,
        "puma_s": slower,
        "puma_first_s": puma[1],
        "speedup": refit / later,
        "puma_speedup": refit / slower,
        "fit_ratio": float(fit / bare),
        "puma_fit_ratio": float(puma[0] / bare),
        "effect": float(np.linalg.norm(before - optimum) / np.linalg.norm(optimum)),
        "refit_distance": distance(refitted, optimum),
        "warm_distance": None if warm is None else distance(warm_model, optimum),
        "naive_distance": distance(naive_model, optimum),
    }


def peak_memory(kind, n_rows):
    """Return the peak memory in MiB, rows included, of a bare fit and of an unlearner's."""
    X, y = make_rows(kind, n_rows, N_FEATURES)
    base = MODELS[kind][0]
    peaks = {}
    for name, model in (("bare", base), ("unlearner", PUMAUnlearner(base, reweight=None))):
        tracemalloc.start()
        model.fit(X, y)
        peaks[name] = (X.nbytes + y.nbytes + tracemalloc.get_traced_memory()[1]) / 2**20
        tracemalloc.stop()
    return {"model": kind, "n_rows": n_rows, **peaks}


COLUMNS = [
    ("model", "model", "{}"),
    ("n_rows", "rows", "{:,}"),
    ("forgotten", "forget", "{:,}"),
    ("refit_s", "refit s", "{:.4f}"),
    ("warm_refit_s", "warm s", "{:.4f}"),
    ("naive_s", "naive s", "{:.4f}"),
    ("naive_first_s", "1st s", "{:.4f}"),
    ("puma_s", "PUMA s", "{:.4f}"),
    ("puma_first_s", "1st s", "{:.4f}"),
    ("speedup", "refit/naive", "{:.1f}"),
    ("puma_speedup", "refit/PUMA", "{:.1f}"),
    ("fit_ratio", "fit/bare", "{:.2f}"),
    ("puma_fit_ratio", "PUMA fit/bare", "{:.2f}"),
    ("effect", "effect", "{:.1e}"),
    ("refit_effects", "d refit", "{:.2g}"),
    ("warm_effects", "d warm", "{:.2g}"),
    ("naive_effects", "d naive", "{:.2g}"),
]


def in_effects(case):
    """Return a case with distances in units of the effect as well."""
    found = {"refit": "refit_distance", "warm": "warm_distance", "naive": "naive_distance"}
    units = {
        f"{name}_effects": None if case[key] is None else case[key] / case["effect"]
        for name, key in found.items()
    }
    return {**case, **units}


def print_table(cases):
    """Print the figures, one line per case."""
    lines = [[title for _, title, _ in COLUMNS]]
    lines.extend(
        ["-" if case[key] is None else form.format(case[key]) for key, _, form in COLUMNS]
        for case in cases
    )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the raw figures")
    parser.add_argument("--max-rows", type=int, default=1_000_000)
    args = parser.parse_args()
    sizes = [(kind, n) for kind in ("logistic", "ridge") for n in (10**3, 10**4, 10**5, 10**6)]
    cases = []
    for kind, n_rows in [*sizes, ("text", 20_000)]:
        if n_rows > args.max_rows:
            continue
        n_features = 50_000 if kind == "text" else 20 if n_rows == 1000 else N_FEATURES
        X, y = make_rows(kind, n_rows, n_features)
        repeats = 15 if n_rows <= 1000 else 5 if n_rows <= 10_000 else 3
        for k in (100,) if kind == "text" else (1, 100, 10_000):
            # 10,000 of 10,000 rows would leave none.
            if k < n_rows:
                cases.append(one_case(kind, X, y, k, repeats))
                print(f"{kind}, {n_rows:,} rows, {k:,} forgotten: done", file=sys.stderr)
        del X, y
    memory = [peak_memory(kind, min(args.max_rows, 10**6)) for kind in ("logistic", "ridge")]
    if args.json:
        print(json.dumps({"cases": cases, "memory": memory}, indent=1))
        return
    print_table([in_effects(case) for case in cases])
    print("\nnaive: PUMAUnlearner(reweight=None); PUMA: with reweighting, the slower half of up to")
    print("eight requests. 1st s: the first request, which copies X and makes the Hessian.")
    print("1,000 rows have 20 features. effect: how far the optimum moves, relative to its norm.")
    print("d: distance to the optimum of the remaining rows, in units of the effect.")
    for case in memory:
        print(
            f"Peak memory of fit, {case['model']}, {case['n_rows']:,} rows: bare "
            f"{case['bare']:.0f} MiB, PUMAUnlearner(reweight=None) {case['unlearner']:.0f} MiB, "
            f"ratio {case['unlearner'] / case['bare']:.2f}"
        )


if __name__ == "__main__":
    main()

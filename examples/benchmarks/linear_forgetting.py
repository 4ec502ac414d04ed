"""
How fast is forgetting with a linear model, and how close to the optimum does it end?

For logistic regression and ridge, n rows x 100 features, forgetting k rows, the table shows
times relative to a default refit and the distance of every parameter vector to the optimum
of the remaining rows (a solution to tolerance 1e-12), relative to that optimum's norm.

Run ``python examples/benchmarks/linear_forgetting.py`` (all sizes, several minutes and 4 GB)
or with ``--max-rows 100000``; ``--json`` prints the raw figures.
"""

import argparse
import json
import multiprocessing
import resource
import sys
from time import perf_counter

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge

from sklearn_unlearn import PUMAUnlearner

N_FEATURES = 100
MODELS = {
    "logistic": (
        LogisticRegression(),
        LogisticRegression(solver="newton-cholesky", tol=1e-12),
        LogisticRegression(warm_start=True),
    ),
    "ridge": (Ridge(), Ridge(solver="cholesky", tol=1e-12), None),
}


def make_rows(n_rows, n_features, kind, seed=0):
    """Return seeded rows and targets of a noisy linear model."""
    rng = np.random.default_rng(seed)
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


def after_forgetting(base, X, y, gone, reweight, repeats):
    """Return times and model: fit, first request, and the median of later requests.

    The first request forgets one other row, since it also makes the Hessian; the request
    that is measured forgets ``gone`` in the state after it.
    """
    rng = np.random.default_rng(2)
    others = np.setdiff1d(
        rng.choice(len(X), min(3 * repeats + len(gone), len(X)), replace=False), gone
    )
    unlearner = PUMAUnlearner(base, reweight=reweight, random_state=0)
    fit = seconds(lambda: unlearner.fit(X, y))
    first = seconds(lambda: unlearner.partial_forget(others[:1]))
    later = [
        seconds(lambda i=i: unlearner.partial_forget(others[i : i + 1]))
        for i in range(1, repeats)
        if len(gone) == 1
    ]
    later.append(seconds(lambda: unlearner.partial_forget(gone)))
    return (
        fit,
        first,
        float(np.median(later)),
        unlearner,
        others[: repeats if len(gone) == 1 else 1],
    )


def one_case(kind, X, y, k, repeats):
    """Return the figures of one table row."""
    base, tight, warm = MODELS[kind]
    n_rows = len(X)
    gone = np.random.default_rng(1).choice(n_rows, k, replace=False)
    bare_fit = min(seconds(lambda: clone(base).fit(X, y)) for _ in range(repeats))
    naive_fit, naive_first, naive, unlearner, others = after_forgetting(
        base, X, y, gone, None, repeats
    )
    left = np.ones(n_rows, dtype=bool)
    left[gone] = False
    left[others] = False
    X_left, y_left = X[left], y[left]
    optimum = parameters(clone(tight).fit(X_left, y_left))
    refits = [clone(base) for _ in range(repeats)]
    refit = min(seconds(lambda m=m: m.fit(X_left, y_left)) for m in refits)
    if warm is None:
        warm_seconds = warm_distance = None
    else:
        warm_model = clone(warm).fit(X, y)
        warm_seconds = seconds(lambda: warm_model.fit(X_left, y_left))
        warm_distance = distance(warm_model, optimum)
    naive_distance = distance(unlearner.estimator_, optimum)
    del unlearner, X_left
    puma_fit, puma_first, puma, unlearner, _ = after_forgetting(base, X, y, gone, "l2", 1)
    return {
        "model": kind,
        "n_rows": n_rows,
        "forgotten": k,
        "refit_s": refit,
        "warm_refit_s": warm_seconds,
        "naive_s": naive,
        "naive_first_s": naive_first,
        "puma_s": puma,
        "puma_first_s": puma_first,
        "fit_ratio": naive_fit / bare_fit,
        "puma_fit_ratio": puma_fit / bare_fit,
        "refit_distance": distance(refits[0], optimum),
        "warm_distance": warm_distance,
        "naive_distance": naive_distance,
        "puma_distance": distance(unlearner.estimator_, optimum),
    }


def _peak(kind, n_rows, unlearner, connection):
    """Send the peak memory of one fit, in a process of its own."""
    X, y = make_rows(n_rows, N_FEATURES, kind)
    base = MODELS[kind][0]
    model = PUMAUnlearner(base, reweight=None) if unlearner else base
    model.fit(X, y)
    connection.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def peak_memory(kind, n_rows, unlearner):
    """Return the peak memory in MiB of making the rows and fitting a model."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe()
    process = context.Process(target=_peak, args=(kind, n_rows, unlearner, sender))
    process.start()
    peak = receiver.recv()
    process.join()
    return peak


COLUMNS = [
    ("model", "model", "{}"),
    ("n_rows", "rows", "{:,}"),
    ("forgotten", "forget", "{:,}"),
    ("refit_s", "refit s", "{:.4f}"),
    ("warm_refit_s", "warm s", "{:.4f}"),
    ("naive_s", "naive s", "{:.4f}"),
    ("naive_first_s", "1st s", "{:.3f}"),
    ("puma_s", "PUMA s", "{:.4f}"),
    ("puma_first_s", "1st s", "{:.3f}"),
    ("speedup", "refit/naive", "{:.0f}"),
    ("puma_speedup", "refit/PUMA", "{:.1f}"),
    ("fit_ratio", "fit/bare", "{:.2f}"),
    ("refit_distance", "d refit", "{:.1e}"),
    ("warm_distance", "d warm", "{:.1e}"),
    ("naive_distance", "d naive", "{:.1e}"),
    ("puma_distance", "d PUMA", "{:.1e}"),
]


def print_table(cases):
    """Print the figures, one line per case."""
    lines = [[title for _, title, _ in COLUMNS]]
    for case in cases:
        case = {
            **case,
            "speedup": case["refit_s"] / case["naive_s"],
            "puma_speedup": case["refit_s"] / case["puma_s"],
        }
        lines.append(
            ["-" if case[key] is None else form.format(case[key]) for key, _, form in COLUMNS]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the raw figures")
    parser.add_argument("--max-rows", type=int, default=1_000_000)
    parser.add_argument("--no-memory", action="store_true", help="skip the peak memory")
    args = parser.parse_args()
    cases = []
    for kind in MODELS:
        sizes = [(1_000, 20), (10_000, N_FEATURES), (100_000, N_FEATURES), (1_000_000, N_FEATURES)]
        for n_rows, n_features in sizes:
            if n_rows > args.max_rows:
                continue
            X, y = make_rows(n_rows, n_features, kind)
            for k in (1, 100, 10_000):
                # 10,000 of 10,000 rows would leave none
                if k < n_rows:
                    cases.append(one_case(kind, X, y, k, repeats=9 if n_rows < 100_000 else 3))
                    print(f"{kind} {n_rows} {k} done", file=sys.stderr)
            del X, y
    memory = []
    if not args.no_memory:
        for kind in MODELS:
            n_rows = min(args.max_rows, 1_000_000)
            bare, ours = (peak_memory(kind, n_rows, unlearner) for unlearner in (False, True))
            memory.append(
                {"model": kind, "n_rows": n_rows, "bare_mib": bare, "unlearner_mib": ours}
            )
    if args.json:
        print(json.dumps({"cases": cases, "memory": memory}, indent=1))
        return
    print_table(cases)
    print("\n'1st s': the first request, which copies X and makes the Hessian.")
    print("d: distance to the optimum of the remaining rows, relative to its norm. PUMA holds")
    print("10 % of the rows out and changes weights, so its optimum is another one.")
    for case in memory:
        print(
            f"Peak memory of fit, {case['model']}, {case['n_rows']:,} rows: bare "
            f"{case['bare_mib']:.0f} MiB, PUMAUnlearner(reweight=None) "
            f"{case['unlearner_mib']:.0f} MiB, ratio {case['unlearner_mib'] / case['bare_mib']:.2f}"
        )


if __name__ == "__main__":
    main()

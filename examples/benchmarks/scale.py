"""
Requests to a linear model of more rows than memory holds
==========================================================

Rows in a memory map, a logistic regression that was fitted elsewhere (here on a sample) and is
given frozen. Seconds of the first request, which passes over all rows to make the Hessian, and of
later ones, with one thread and with more; the largest memory that the process took; how far the
sum over the rows is from being limited by one core. The map is written to a folder that is removed
at the end: 20,000,000 rows of 50 numbers take 4 GB on disk.
"""

import argparse
import json
import resource
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from sklearn_unlearn import PUMAUnlearner

CHUNK = 200_000


def written(path, n_rows, n_features):
    """Write generated rows chunk by chunk; return the map, read-only, and the labels."""
    X = np.lib.format.open_memmap(path, "w+", np.float32, (n_rows, n_features))
    y, coef = np.empty(n_rows, dtype=np.int8), np.random.default_rng(0).normal(size=n_features)
    for start in range(0, n_rows, CHUNK):
        rng = np.random.default_rng([start, 1])
        of = slice(start, min(start + CHUNK, n_rows))
        X[of] = rng.standard_normal((of.stop - start, n_features), dtype=np.float32)
        y[of] = X[of] @ coef + 3 * rng.logistic(size=of.stop - start) > 0
    X.flush()
    del X
    return np.load(path, mmap_mode="r"), y


def peak_memory():
    """Return the largest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def seconds(call):
    """Return the wall-clock seconds of a call."""
    start = perf_counter()
    call()
    return perf_counter() - start


def one_run(X, y, model, n_jobs):
    """Return the figures with one number of threads."""
    unlearner = PUMAUnlearner(FrozenEstimator(model), reweight=None, n_jobs=n_jobs)
    fit = seconds(lambda: unlearner.fit(X, y))
    first = seconds(lambda: unlearner.partial_forget([0]))
    later = [seconds(lambda i=i: unlearner.partial_forget([i])) for i in range(1, 6)]
    hundred = seconds(lambda: unlearner.partial_forget(range(100, 200)))
    unlearner.set_params(n_refine=1)
    return {
        "rows": len(X),
        "n_jobs": n_jobs,
        "fit_seconds": fit,
        "first_seconds": first,
        "later_seconds": float(np.median(later)),
        "hundred_ids_seconds": hundred,
        # One pass for the gradient, and a second one with the Hessian before it.
        "refined_seconds": seconds(lambda: unlearner.partial_forget([300])),
        "peak_mb": peak_memory(),
    }


def main():
    """Print a table, or the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--jobs", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--folder", type=Path, help="where to write the rows")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        X, y = written(Path(folder) / "rows.npy", args.rows, args.features)
        some = slice(0, min(args.rows, 500_000))
        model = LogisticRegression(tol=1e-8).fit(np.asarray(X[some]), y[some])
        figures = [one_run(X, y, model, n_jobs) for n_jobs in args.jobs]
    if args.json:
        print(json.dumps(figures, indent=1))
        return
    names = list(figures[0])
    print("".join(f"{name:>20}" for name in names))
    for line in figures:
        print("".join(f"{line[name]:20.4g}" for name in names))


if __name__ == "__main__":
    main()

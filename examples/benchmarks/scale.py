"""
Requests to a linear model of more rows than memory holds
==========================================================

Rows in a memory map, a logistic regression that was fitted elsewhere (here on a sample) and is
given frozen. Seconds of the first request, which passes over all rows to make the Hessian, and of
later ones, with one thread and with more; the largest memory that the process took; how far the
sum over the rows is from being limited by one core. The map is written to a folder that is removed
at the end: 20,000,000 rows of 50 numbers take 4 GB on disk.

Below it: what ensembles send to two processes in ``fit`` and in a request for ten rows, for rows
in memory and in a map. joblib writes arrays from 1 MB on to a file that all processes of one
machine read, so they count once. ``--dask`` adds what goes through the machine's own network, in
any direction, with a cluster of two workers.
"""

import argparse
import json
import pickle
import resource
import sys
import tempfile
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from time import perf_counter

import joblib
import numpy as np
from joblib.parallel import LokyBackend
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB

from sklearn_unlearn import ArcaneEnsemble, PUMAUnlearner, SISAEnsemble

CHUNK = 200_000
# joblib writes arrays from this size on to a file, once.
IN_FILE = 1_000_000


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


class CountingPickler(pickle.Pickler):
    """Pickles what is sent, with each large array only when it is met first."""

    def __init__(self, file, met):
        super().__init__(file, protocol=5)
        self.met = met

    def persistent_id(self, value):
        """Return a name for a large array that was met."""
        if not isinstance(value, np.ndarray) or value.nbytes < IN_FILE:
            return None
        # Kept, lest another array be given its identity.
        self.met[id(value)] = value
        return id(value)


class Counting(LokyBackend):
    """Processes of joblib, with a count of what they are sent."""

    small, met = 0, {}

    def submit(self, func, callback=None):
        """Count, and send."""
        self.count(func)
        return super().submit(func, callback)

    def apply_async(self, func, callback=None):
        """Do the same where joblib is older than 1.5."""
        self.count(func)
        return super().apply_async(func, callback)

    @staticmethod
    def count(func):
        """Add up what is sent."""
        file = BytesIO()
        CountingPickler(file, Counting.met).dump(func.items)
        Counting.small += len(file.getvalue())

    @classmethod
    def total(cls):
        """Return the bytes that were sent since the last call."""
        total = cls.small + sum(array.nbytes for array in cls.met.values())
        cls.small, cls.met = 0, {}
        return total


def loopback():
    """Return the bytes that have gone through the machine's network to itself."""
    import psutil

    return psutil.net_io_counters(pernic=True)["lo"].bytes_sent


def sent(X, y, kind, total, n_jobs):
    """Return the megabytes that ensembles send, of which ``total`` tells the sum so far."""
    figures = []
    for name, model in {
        "SISA": SISAEnsemble(GaussianNB(), random_state=0, n_jobs=n_jobs),
        "ARCANE": ArcaneEnsemble(random_state=0, n_jobs=n_jobs),
        "ARCANE against a fifth": ArcaneEnsemble(
            SGDClassifier(), background=0.2, random_state=0, n_jobs=n_jobs
        ),
    }.items():
        total()
        model.fit(X, y)
        fit = total()
        model.partial_forget(range(0, len(X), len(X) // 10))
        figures.append(
            {
                "model": name,
                "rows in": kind,
                "data_mb": X.nbytes / 1e6,
                "fit_mb": fit / 1e6,
                "request_mb": total() / 1e6,
                "rows_retrained": model.receipts_[-1].n_rows_retrained,
            }
        )
    return figures


def sent_to_processes(X, y, mapped, n_jobs=2):
    """Return the megabytes that go to processes of this machine."""
    joblib.register_parallel_backend("counting", Counting)
    with joblib.parallel_backend("counting"):
        return [
            *sent(X, y, "memory", Counting.total, n_jobs),
            *sent(mapped, y, "a map", Counting.total, n_jobs),
        ]


def sent_to_cluster(X, y, mapped):
    """Return the megabytes that go to a cluster of dask; None without dask."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        return None
    with ExitStack() as stack:
        cluster = stack.enter_context(
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
        )
        stack.enter_context(Client(cluster))
        stack.enter_context(joblib.parallel_backend("dask"))
        last = [loopback()]

        def total():
            last.append(loopback())
            return last[-1] - last[-2]

        return [
            *sent(X, y, "memory, dask", total, -1),
            *sent(mapped, y, "a map, dask", total, -1),
        ]


def chains(folder, n_rows, n_features, with_dask):
    """Return what ensembles of ten classes send."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n_rows, n_features)), rng.integers(10, size=n_rows)
    np.save(folder / "classes.npy", X)
    mapped = np.load(folder / "classes.npy", mmap_mode="r")
    figures = sent_to_processes(X, y, mapped)
    if not with_dask:
        return figures
    more = sent_to_cluster(X, y, mapped)
    if more is None:
        print("Without dask and distributed there is no cluster to measure.", file=sys.stderr)
    return [*figures, *(more or [])]


def print_table(figures):
    """Print one line for each of the figures."""
    print("".join(f"{name:>24}" for name in figures[0]))
    for line in figures:
        given = (
            f"{value:>24}" if isinstance(value, str) else f"{value:24.4g}"
            for value in line.values()
        )
        print("".join(given))


def main():
    """Print a table, or the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--jobs", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--chain-rows", type=int, default=100_000)
    parser.add_argument("--dask", action="store_true", help="measure a cluster of dask as well")
    parser.add_argument("--folder", type=Path, help="where to write the rows")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        figures = {"linear": []}
        if args.rows:
            X, y = written(Path(folder) / "rows.npy", args.rows, args.features)
            some = slice(0, min(args.rows, 500_000))
            model = LogisticRegression(tol=1e-8).fit(np.asarray(X[some]), y[some])
            figures["linear"] = [one_run(X, y, model, n_jobs) for n_jobs in args.jobs]
        figures["sent"] = chains(Path(folder), args.chain_rows, args.features, args.dask)
    if args.json:
        print(json.dumps(figures, indent=1))
        return
    for lines in figures.values():
        if lines:
            print_table(lines)


if __name__ == "__main__":
    main()

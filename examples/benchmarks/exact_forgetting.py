"""
What does exact forgetting cost, and when does it save nothing?

Ensembles of chains on 100,000 rows x 50 features of ten classes forget k rows at once, drawn
uniformly, or skewed: a tenth of the rows gets nine tenths of the requests, and ensembles that
sort were told so. The table shows the rows that are trained on again, how often rows are
visited (epochs included), seconds, and the accuracy afterwards, against training the same
kind of model anew. For single rows and ten, rows and visits are means over 200 and 50 requests.

Below it: what a request costs besides training, fitting against a plain loop over the same
chains, and peak memory.

``python examples/benchmarks/exact_forgetting.py`` runs all in some minutes;
``--max-rows 20000`` in one. ``--memory-rows 1000000`` measures the memory there. ``--json``
prints the raw figures.
"""

import argparse
import json
import sys
import tracemalloc
from copy import deepcopy
from time import perf_counter

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier

from sklearn_unlearn import ArcaneEnsemble, SISAEnsemble
from sklearn_unlearn.one_class import StudentTDensity

N_FEATURES, N_CLASSES, N_EPOCHS = 50, 10, 3
BLOCK_SIZE = 200
# How many requests of a size are drawn; the rows of the table are their mean.
MEANS = {1: 200, 10: 50}
LIKELY = 0.1
REQUESTED = 0.9


def make_rows(n_rows, seed=0):
    """Return seeded rows of overlapping classes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(N_CLASSES, size=n_rows)
    centres = np.random.default_rng(99).standard_normal((N_CLASSES, N_FEATURES))
    return rng.standard_normal((n_rows, N_FEATURES)) + 0.5 * centres[y], y


def request_probabilities(n_rows, pattern, seed=1):
    """Return the probability that a request is for a row."""
    if pattern == "uniform":
        return np.full(n_rows, 1 / n_rows)
    likely = np.random.default_rng(seed).random(n_rows) < LIKELY
    share = likely.mean()
    return np.where(likely, REQUESTED / share, (1 - REQUESTED) / (1 - share)) / n_rows


class Timed:
    """Mixed into an estimator: adds up the seconds of its training."""

    seconds = 0.0

    def partial_fit(self, *args, **params):
        """Train, and note how long it took."""
        start = perf_counter()
        trained = super().partial_fit(*args, **params)
        Timed.seconds += perf_counter() - start
        return trained


class TimedSGD(Timed, SGDClassifier):
    """A linear classifier that notes the seconds of its training."""


class TimedDensity(Timed, StudentTDensity):
    """A density that notes the seconds of its training."""


def ensembles(n_rows):
    """Return the ensembles by name, and whether each is told what is likely."""
    selected = n_rows // N_CLASSES // 5
    sisa = SISAEnsemble(
        TimedSGD(), n_epochs=N_EPOCHS, block_size=BLOCK_SIZE, n_checkpoints=20, random_state=0
    )
    arcane = ArcaneEnsemble(TimedDensity(), block_size=BLOCK_SIZE, n_checkpoints=20, random_state=0)
    fewer = clone(arcane).set_params(selection="random", selection_size=selected)
    return {
        "SISA": (sisa, False),
        "SISA sorted": (sisa, True),
        "ARCANE": (arcane, False),
        "ARCANE sorted": (arcane, True),
        "ARCANE 20 % selected": (fewer, False),
        "ARCANE 20 % sorted": (fewer, True),
    }


def retraining(X, y, test):
    """Return the seconds and accuracy of training one classifier on all rows."""
    model, classes = TimedSGD(random_state=0), np.unique(y)
    start = perf_counter()
    for first in range(0, len(X), BLOCK_SIZE):
        block = slice(first, first + BLOCK_SIZE)
        for _ in range(N_EPOCHS):
            model.partial_fit(X[block], y[block], classes=classes)
    return perf_counter() - start, model.score(*test)


def fitted(ensemble, X, y, probabilities):
    """Return a fitted copy, told the probabilities or not."""
    proba = None if probabilities is None else probabilities / probabilities.max()
    return clone(ensemble).fit(X, y, forget_proba=proba)


def study(X, y, test, sizes):
    """Return one figure per pattern, ensemble and number of rows."""
    figures = []
    for pattern in ("uniform", "skewed"):
        probabilities = request_probabilities(len(X), pattern)
        rng = np.random.default_rng(2)
        requests = {
            k: [
                rng.choice(len(X), k, replace=False, p=probabilities)
                for _ in range(MEANS.get(k, 1))
            ]
            for k in sizes
        }
        for name, (ensemble, told) in ensembles(len(X)).items():
            epochs = ensemble.n_epochs
            trained = fitted(ensemble, X, y, probabilities if told else None)
            for k, drawn in requests.items():
                model = deepcopy(trained)
                rows = float(np.mean([model.expected_cost(request) for request in drawn]))
                # The first request makes the private copy of the rows; it is not repeated.
                model.partial_forget(np.setdiff1d(np.arange(len(X)), drawn[0])[:1])
                start = perf_counter()
                model.partial_forget(drawn[0])
                seconds = perf_counter() - start
                figures.append(
                    {
                        "pattern": pattern,
                        "model": name,
                        "k": k,
                        "rows": rows,
                        "visits": rows * epochs,
                        "seconds": seconds,
                        "accuracy": model.score(*test),
                    }
                )
        for k in sizes:
            kept = np.setdiff1d(np.arange(len(X)), requests[k][0])
            seconds, accuracy = retraining(X[kept], y[kept], test)
            figures.append(
                {
                    "pattern": pattern,
                    "model": "retraining",
                    "k": k,
                    "rows": len(kept),
                    "visits": len(kept) * N_EPOCHS,
                    "seconds": seconds,
                    "accuracy": accuracy,
                }
            )
    return figures


def plain_loop(model, X, y):
    """Return the seconds of training a fitted ensemble's chains in a plain loop."""
    start = perf_counter()
    for chain in model._chains.values():
        estimator = clone(model.estimator)
        extra = {"classes": model.classes_} if isinstance(model, SISAEnsemble) else {}
        for first in range(0, len(chain.rows), model.block_size):
            rows = chain.rows[first : first + model.block_size]
            given = (X[rows], y[rows]) if extra else (X[rows],)
            for _ in range(model.n_epochs):
                estimator.partial_fit(*given, **extra)
    return perf_counter() - start


def overhead(X, y, test, repeats=5):
    """Return fitting over a plain loop, and what requests cost besides training.

    Blocks and states are the defaults of the library.
    """
    n_rows = len(X)
    retrained = retraining(X, y, test)[0]
    figures = {"retraining_seconds": retrained}
    for name in ("SISA", "ARCANE"):
        ensemble = ensembles(n_rows)[name][0].set_params(block_size=500, n_checkpoints=10)
        ratios, naive, beside = [], [], {1: [], 100: []}
        for repeat in range(repeats):
            model = clone(ensemble)
            start = perf_counter()
            model.fit(X, y)
            fit = perf_counter() - start
            loop = plain_loop(model, X, y)
            ratios.append(fit / loop)
            naive.append(loop)
            for k, seconds in beside.items():
                request = np.random.default_rng(repeat).choice(n_rows - 1, k, replace=False)
                left = fitted(ensemble, X, y, None).partial_forget([n_rows - 1])
                Timed.seconds = 0.0
                start = perf_counter()
                left.partial_forget(request)
                seconds.append(perf_counter() - start - Timed.seconds)
        figures[name] = {
            "fit_over_loop": float(np.median(ratios)),
            "loop_seconds": float(np.median(naive)),
            **{f"besides_training_{k}": float(np.median(seconds)) for k, seconds in beside.items()},
        }
    return figures


def memory(n_rows):
    """Return peak memory as a multiple of the rows', the rows themselves included."""
    X, y = make_rows(n_rows)
    figures = {}
    for name in ("SISA", "ARCANE"):
        model = clone(ensembles(n_rows)[name][0]).set_params(n_epochs=1)
        for step, call in (
            ("fit", lambda model=model: model.fit(X, y)),
            ("first_request", lambda model=model: model.partial_forget([1])),
            ("later_request", lambda model=model: model.partial_forget([2])),
        ):
            tracemalloc.start()
            call()
            figures[f"{name}_{step}"] = 1 + tracemalloc.get_traced_memory()[1] / X.nbytes
            tracemalloc.stop()
    return figures


def print_tables(result):
    """Print all figures."""
    print(
        f"{'requests':8} {'model':22} {'k':>6} {'rows':>9} {'visits':>9} "
        f"{'seconds':>8} {'accuracy':>8}"
    )
    for row in result["study"]:
        print(
            f"{row['pattern']:8} {row['model']:22} {row['k']:6d} {row['rows']:9.0f} "
            f"{row['visits']:9.0f} {row['seconds']:8.3f} {row['accuracy']:8.3f}"
        )
    rows = {(r["pattern"], r["model"], r["k"]): r["rows"] for r in result["study"]}
    print("\nskewed requests, rows of ARCANE sorted / rows of SISA unsorted")
    for k in sorted({row["k"] for row in result["study"]}):
        ratios = [
            rows["skewed", name, k] / max(rows["skewed", "SISA", k], 1)
            for name in ("ARCANE sorted", "ARCANE 20 % sorted")
        ]
        print(f"k = {k:6d}: {ratios[0]:.3f}, with a fifth of the rows selected {ratios[1]:.3f}")
    print("\nbesides training")
    beside = result["overhead"]
    naive = beside["retraining_seconds"]
    for name in ("SISA", "ARCANE"):
        row = beside[name]
        print(f"{name:7} fit / plain loop {row['fit_over_loop']:.2f}")
        for k in (1, 100):
            seconds = row[f"besides_training_{k}"]
            print(
                f"{name:7} k = {k:3d}: plan, restore and all else {seconds:.4f} s, "
                f"{seconds / naive:.3f} of naive retraining ({naive:.2f} s), "
                f"{seconds / row['loop_seconds']:.3f} of a plain loop over its chains "
                f"({row['loop_seconds']:.2f} s)"
            )
    print(f"\npeak memory at {result['memory_rows']} rows, rows included, as a multiple of them")
    for name, value in result["memory"].items():
        print(f"{name:22} {value:.2f}")


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--max-rows", type=int, default=100_000)
    parser.add_argument("--memory-rows", type=int, default=None, help="default: --max-rows")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    n_rows = options.max_rows
    X, y = make_rows(n_rows)
    test = make_rows(10_000, seed=5)
    sizes = sorted({1, 10, n_rows // 1000, n_rows // 100, n_rows // 20, n_rows // 10})
    result = {
        "study": study(X, y, test, sizes),
        "overhead": overhead(X, y, test),
        "memory_rows": options.memory_rows or n_rows,
        "memory": memory(options.memory_rows or n_rows),
    }
    if options.json:
        json.dump(result, sys.stdout, indent=2)
    else:
        print_tables(result)


if __name__ == "__main__":
    main()

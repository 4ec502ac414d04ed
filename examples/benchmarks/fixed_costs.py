"""
What does a request cost beside its arithmetic?

CPU time of small requests next to the bare computation: a linear model's Newton step in NumPy,
an ensemble's training on as many rows. Then requests of many ids, and what the table of a
million ids takes in memory and at its first look-up.

``python examples/benchmarks/fixed_costs.py`` runs in half a minute; ``--small`` in a few seconds.
``--json`` prints the raw figures. Set ``OMP_NUM_THREADS=1``, lest threads that wait count.
"""

import argparse
import json
import tracemalloc
import warnings
from time import process_time

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier

from sklearn_unlearn import ArcaneEnsemble, PUMAUnlearner, SISAEnsemble
from sklearn_unlearn.base import SubjectIndex
from sklearn_unlearn.one_class import StudentTDensity


def make_rows(n_rows, n_features=10, seed=0):
    """Return seeded rows, and targets of a noisy linear model."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features))
    return X, X @ rng.standard_normal(n_features) + rng.standard_normal(n_rows)


def cpu_ms(call):
    """Return the milliseconds of CPU time that a call takes."""
    start = process_time()
    call()
    return 1e3 * (process_time() - start)


class BareSteps:
    """Newton steps on the rows that remain, and nothing else.

    Parameters
    ----------
    model : Ridge or LogisticRegression
        Fitted; where the steps start.

    X : ndarray of shape (n_samples, n_features)
        Its training rows.

    y : ndarray of shape (n_samples,)
        Their targets, 0 and 1 for a classifier.
    """

    def __init__(self, model, X, y):
        self.Z, self.y = np.hstack([X, np.ones((len(X), 1))]), y
        self.logistic = isinstance(model, LogisticRegression)
        self.theta = np.append(model.coef_, model.intercept_)
        self.penalty = np.full(len(self.theta), 1 / model.C if self.logistic else model.alpha)
        self.penalty[-1] = 0.0
        slopes, curvatures = self.derivatives(np.arange(len(X)))
        self.gradient = self.Z.T @ slopes
        self.hessian = self.Z.T @ (self.Z * curvatures[:, None])

    def derivatives(self, rows):
        """Return the derivatives and second derivatives of row losses by the prediction."""
        raw = self.Z[rows] @ self.theta
        if not self.logistic:
            return raw - self.y[rows], np.ones(len(rows))
        p = expit(raw)
        return p - self.y[rows], p * (1 - p)

    def forget(self, rows):
        """Take rows off the objective, and move to where its second order expansion ends."""
        Z = self.Z[rows]
        slopes, curvatures = self.derivatives(rows)
        gradient = self.gradient - Z.T @ slopes
        self.hessian = self.hessian - Z.T @ (Z * curvatures[:, None])
        factor = cho_factor(self.hessian + np.diag(self.penalty))
        step = -cho_solve(factor, gradient + self.penalty * self.theta)
        self.gradient = gradient + self.hessian @ step
        self.theta = self.theta + step


def linear_case(name, model, y, X, n_requests):
    """Return what one-row requests to a linear model cost, and the bare steps."""
    unlearner = PUMAUnlearner(model, reweight=None).fit(X, y)
    bare = BareSteps(unlearner.estimator_, X, y)
    # The first request copies X and makes the Hessian.
    unlearner.partial_forget([0])
    bare.forget(np.array([0]))
    times = []
    for i in range(1, n_requests + 1):
        request = cpu_ms(lambda i=i: unlearner.partial_forget([i]))
        times.append((request, cpu_ms(lambda i=i: bare.forget(np.array([i])))))
    request, arithmetic = np.median(times, axis=0).tolist()
    theta = np.append(unlearner.estimator_.coef_, unlearner.estimator_.intercept_)
    return {
        "model": name,
        "request_ms": request,
        "bare_ms": arithmetic,
        "distance": float(np.linalg.norm(theta - bare.theta) / np.linalg.norm(theta)),
    }


def trained(model, X, y, block_size):
    """Train a model on rows: block by block, if it can."""
    if not hasattr(model, "partial_fit"):
        return model.fit(X, y)
    for start in range(0, len(X), block_size):
        model.partial_fit(X[start : start + block_size])
    return model


def ensemble_case(name, ensemble, inner, X, y, n_requests):
    """Return what one-row requests to an ensemble cost, and training on as many rows."""
    ensemble.fit(X, y).partial_forget([0])
    times = []
    for i in range(1, n_requests + 1):
        request = cpu_ms(lambda i=i: ensemble.partial_forget([i]))
        rows = slice(0, ensemble.receipts_[-1].n_rows_retrained)
        model = clone(inner)
        bare = cpu_ms(lambda m=model, r=rows: trained(m, X[r], y[r], ensemble.block_size))
        times.append((request, bare))
    request, bare = np.median(times, axis=0).tolist()
    retrained = [receipt.n_rows_retrained for receipt in ensemble.receipts_[1:]]
    return {
        "model": name,
        "request_ms": request,
        "bare_ms": bare,
        "rows_retrained": float(np.median(retrained)),
    }


def ids_of_kind(kind, n_ids):
    """Return distinct ids."""
    if kind == "tuple":
        return [("user", i) for i in range(n_ids)]
    return [f"user-{i:09d}" for i in range(n_ids)]


def ids_case(kind, n_rows, n_ids, n_requests):
    """Return what requests of many ids cost."""
    X, y = make_rows(n_rows)
    ids = ids_of_kind(kind, n_rows)
    unlearner = PUMAUnlearner(Ridge(), reweight=None).fit(X, y, X_ids=ids).partial_forget(ids[-1:])
    parts = [ids[i * n_ids : (i + 1) * n_ids] for i in range(n_requests)]
    times = [cpu_ms(lambda part=part: unlearner.partial_forget(part)) for part in parts]
    receipt = unlearner.receipts_[-1]
    return {
        "kind": kind,
        "n_ids": n_ids,
        "request_ms": float(np.median(times)),
        "covered": bool(receipt.matches(parts[-1])),
    }


def look_up_case(n_ids):
    """Return what the table of ids takes: memory beside the ids, and time at the first look-up."""
    ids = ids_of_kind("str", n_ids)
    index = SubjectIndex(n_ids, X_ids=ids)
    first = cpu_ms(lambda: index.knows(ids[:1]))
    later = cpu_ms(lambda: index.knows(ids[1:2]))
    del index
    tracemalloc.start()
    index = SubjectIndex(n_ids, X_ids=ids)
    index.knows(ids[:1])
    size, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {
        "n_ids": n_ids,
        "first_ms": first,
        "later_ms": later,
        "MB": size / 1e6,
        "peak_MB": peak / 1e6,
        "n_subjects": index.n_subjects,
    }


def figures(small):
    """Return all figures."""
    n_requests = 20 if small else 300
    X, y = make_rows(1000)
    # The optimum, so that one step is the whole way.
    logistic = LogisticRegression(solver="newton-cholesky", tol=1e-10)
    linear = [
        linear_case("Ridge", Ridge(), y, X, n_requests),
        linear_case("LogisticRegression", logistic, (y > 0).astype(int), X, n_requests),
    ]
    n_requests, n_rows = (3, 500) if small else (15, 5000)
    X, y = make_rows(n_rows)
    y = (y > 0).astype(int)
    density, tree = StudentTDensity(), DecisionTreeClassifier(random_state=0)
    arcane = ArcaneEnsemble(density, random_state=0)
    sisa = SISAEnsemble(tree, n_shards=n_rows // 50, random_state=0)
    ensembles = [
        ensemble_case("ArcaneEnsemble, 2 densities", arcane, density, X, y, n_requests),
        ensemble_case(f"SISAEnsemble, {n_rows // 50} trees", sisa, tree, X, y, n_requests),
    ]
    counts = [(1000, 100)] if small else [(60_000, 1000), (60_000, 10_000)]
    ids = [ids_case(kind, *count, 5) for kind in ("str", "tuple") for count in counts]
    look_up = look_up_case(10**4 if small else 10**6)
    return {"linear": linear, "ensembles": ensembles, "ids": ids, "look_up": look_up}


def print_tables(found):
    """Print the figures."""
    print("CPU ms per one-row request, median, and of the bare computation:")
    for case in [*found["linear"], *found["ensembles"]]:
        ratio = case["request_ms"] / max(case["bare_ms"], 1e-6)
        print(
            f"  {case['model']:30} {case['request_ms']:8.3f}  bare {case['bare_ms']:8.3f}  "
            f"ratio {ratio:6.1f}"
        )
    print("CPU ms per request of many ids to Ridge, median of five:")
    for case in found["ids"]:
        print(f"  {case['n_ids']:6,} ids ({case['kind']}) {case['request_ms']:8.2f}")
    case = found["look_up"]
    print(
        f"Table of {case['n_ids']:,} ids: {case['MB']:.1f} MB beside the ids, "
        f"{case['peak_MB']:.1f} MB while it is made; first look-up {case['first_ms']:.0f} ms of "
        f"CPU time, later ones {case['later_ms']:.3f} ms"
    )


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the raw figures")
    parser.add_argument("--small", action="store_true", help="few rows, ids and requests")
    args = parser.parse_args()
    with warnings.catch_warnings():
        # A shard may lack a class, of which its tree then votes for the other.
        warnings.simplefilter("ignore", UserWarning)
        found = figures(args.small)
    if args.json:
        print(json.dumps(found, indent=1))
        return
    print_tables(found)


if __name__ == "__main__":
    main()

"""
What do a thousand small requests with the default settings cost, and does the cost grow?

PUMAUnlearner around a logistic regression on n rows x 50 features forgets a thousand rows, one a
request, as it comes and with ``reweight=None``; then 1 % of the rows in one request. Everything is
CPU time of one process, as a multiple of a refit of the plain model that is timed in between.

``OMP_NUM_THREADS=1 python examples/benchmarks/default_requests.py`` takes about a minute;
``--json`` prints the raw figures.
"""

import argparse
import json
from functools import partial
from time import process_time

import numpy as np
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from sklearn_unlearn import PUMAUnlearner

N_FEATURES = 50
WAYS = {"default": {}, "reweight=None": {"reweight": None}}


def seconds(call):
    """Return the CPU time of a call."""
    start = process_time()
    call()
    return process_time() - start


def requests(X, y, asked):
    """Return the CPU time of every request per way, and of refits in between."""
    models = {way: PUMAUnlearner(LogisticRegression(), random_state=0, **WAYS[way]) for way in WAYS}
    for model in models.values():
        model.fit(X, y)
    times, refits = {way: [] for way in WAYS}, []
    for number, row in enumerate(asked):
        # Side by side, so that whatever else the machine does weighs on all alike.
        for way, model in models.items():
            times[way].append(seconds(partial(model.partial_forget, [row])))
        if number % max(1, len(asked) // 20) == 0:
            refits.append(seconds(lambda: LogisticRegression().fit(X[1:], y[1:])))
    return times, float(np.median(refits)), models["default"].objective().is_reweighted


def one_large(X, y, repeats):
    """Return the ratio of a request for 1 % of the rows to a refit, the first and a later one."""
    k, ratios = len(y) // 100, []
    for _ in range(repeats):
        model = PUMAUnlearner(LogisticRegression(), random_state=0).fit(X, y)
        rows = np.random.default_rng(0).permutation(len(y))
        refit = seconds(lambda: LogisticRegression().fit(X[k:], y[k:]))
        ratios.append(
            [
                seconds(lambda some=some, model=model: model.partial_forget(some)) / refit
                for some in (rows[:k], rows[k : 2 * k])
            ]
        )
    return np.median(ratios, axis=0).tolist()


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the raw figures")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=1000)
    args = parser.parse_args()
    X, y = make_classification(args.rows, N_FEATURES, n_informative=20, random_state=0)
    asked = np.random.default_rng(0).choice(args.rows, args.requests, replace=False).tolist()
    times, refit, reweighted = requests(X, y, asked)
    part = max(1, args.requests // 10)
    figures = {
        "refit, ms": 1e3 * refit,
        "reweighted": reweighted,
        "1 %, first": None,
        "1 %, later": None,
        "ways": {
            way: {
                "all requests, refits": sum(all_of) / refit,
                "first request, refits": all_of[0] / refit,
                "median of the first tenth, ms": 1e3 * float(np.median(all_of[:part])),
                "median of the last tenth, ms": 1e3 * float(np.median(all_of[-part:])),
            }
            for way, all_of in times.items()
        },
    }
    figures["1 %, first"], figures["1 %, later"] = one_large(X, y, 5)
    if args.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{args.rows:,} rows x {N_FEATURES}, {args.requests:,} requests of one row; refit")
    print(f"{figures['refit, ms']:.1f} ms; weights were changed: {reweighted}")
    for way, found in figures["ways"].items():
        print(f"\n{way}")
        for name, value in found.items():
            print(f"  {name:<32}{value:8.2f}")
    print(f"\n1 % of the rows at once, refits: first request {figures['1 %, first']:.2f}, later")
    print(f"{figures['1 %, later']:.2f}")


if __name__ == "__main__":
    main()

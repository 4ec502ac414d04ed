"""
What does a store of a model cost: a request, a batch, a certificate, a check, a server's start?

A logistic regression behind a scaler, 10,000 people with a row of 20 numbers each. Requests wait
on the disk when ``submit`` returns, so its time is the disk's: wall-clock time, with the CPU time
beside it. Then the ledger is filled with requests that came one by one.

``OMP_NUM_THREADS=1 python examples/benchmarks/store.py`` takes minutes on a slow disk;
``--folder`` says which disk; ``--json`` prints the raw figures.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import numpy as np
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.store import ModelStore

KEY = b"a key that only this benchmark knows"


def milliseconds(call):
    """Return the wall-clock and the CPU time of a call."""
    start, cpu = perf_counter(), process_time()
    call()
    return 1e3 * (perf_counter() - start), 1e3 * (process_time() - cpu)


def median(times):
    """Return the medians of wall-clock and CPU times, and the slowest wall-clock time."""
    wall, cpu = np.transpose(times)
    return {
        "median": float(np.median(wall)),
        "CPU": float(np.median(cpu)),
        "slowest": float(wall.max()),
    }


def measure(folder, n_people, n_events, repeats):
    """Return the figures of a store in a folder."""
    X, y = make_classification(n_people, 20, n_informative=8, random_state=0)
    ids = [f"customer-{number:07d}" for number in range(n_people)]
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    store = ModelStore(folder, key=KEY)
    store.train(PUMAUnlearner(pipe, reweight=None, random_state=0), X, y, X_ids=ids)
    asked, figures = iter(ids), {}

    def some(n):
        return [next(asked) for _ in range(n)]

    for n in (1, 100):
        times = [milliseconds(partial(store.submit, some(n))) for _ in range(repeats)]
        figures[f"submit of {n} id" + "s" * (n > 1)] = median(times)
    store.apply()
    times = []
    for _ in range(3):
        store.submit(some(100))
        times.append(milliseconds(store.apply))
    figures["apply to 100 requests"] = median(times)
    figures["load of the model"] = median([milliseconds(store.load) for _ in range(repeats)])
    while (n_left := n_events - store.verify()) > 0:
        for number in range(n_left):
            store.submit([f"stranger-{n_left}-{number}"])
    opened = ModelStore(folder, key=KEY)
    at = f"at {opened.verify():,} events"
    for name, call in {
        f"status of one person {at}": lambda: store.status(ids[0]),
        f"submit of 1 id {at}": lambda: store.submit([f"late-{next(asked)}"]),
        f"certificate {at}": lambda: opened.certificate(ids[0]),
        f"first certificate of a process {at}": lambda: ModelStore(folder, key=KEY).certificate(
            ids[0]
        ),
        f"verify {at}": opened.verify,
    }.items():
        n_times = repeats if "first" not in name and "verify" not in name else 3
        figures[name] = median([milliseconds(call) for _ in range(n_times)])
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {"milliseconds": figures, "bytes": {each.name: each.stat().st_size for each in files}}


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the raw figures")
    parser.add_argument("--folder", help="where the store lies; by default a temporary folder")
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=20)
    args = parser.parse_args()
    with TemporaryDirectory(dir=args.folder) as folder:
        figures = measure(Path(folder) / "store", args.people, args.events, args.repeats)
    if args.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{'milliseconds':50}{'median':>10}{'CPU':>10}{'slowest':>10}")
    for name, found in figures["milliseconds"].items():
        print(f"{name:50}" + "".join(f"{value:10.1f}" for value in found.values()))
    print("\nbytes of files:")
    for name, size in figures["bytes"].items():
        print(f"{name:50}{size:10,}")


if __name__ == "__main__":
    main()

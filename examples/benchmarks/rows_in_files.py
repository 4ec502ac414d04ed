"""
Unlearners whose rows lie outside
=================================

A logistic regression on generated rows with an id of text each: the size of the stored unlearner,
seconds to store it, and milliseconds of a request for one row, with the rows in memory, in an
array's file and in Parquet, a folder of files of 2,500 rows each. Parquet is also measured with
its erasing apart (``erase="later"``). Requests after the first, which makes the Hessian, once
without a criterion and once with the default, which reads the rows that it judges by at the first
request after loading. All of them are CPU seconds of this process, with one thread of BLAS.

Below it: what the table takes by which rows are found by an id of text that stays in Parquet,
resident and at its peak while it is made. The files are written to a folder that is removed at the
end.
"""

import argparse
import json
import os
import resource
import tempfile
from pathlib import Path
from time import process_time

import joblib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.linear_model import LogisticRegression

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.base import SubjectIndex
from sklearn_unlearn.rows import ArrayRows, ParquetRows

FILE_ROWS = 2_500
N_REQUESTS = 9


def generated(n_rows, n_features):
    """Return rows, labels and ids."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_features))
    y = X @ rng.normal(size=n_features) + 3 * rng.logistic(size=n_rows) > 0
    return X, y.astype(np.int8), ids_of(0, n_rows)


def ids_of(start, stop):
    """Return ids of text."""
    return [f"customer-{number:08d}" for number in range(start, stop)]


def in_parquet(folder, X, y, ids):
    """Write rows to a folder of files."""
    folder.mkdir()
    for start in range(0, len(X), FILE_ROWS):
        of = slice(start, start + FILE_ROWS)
        columns = {f"x{place}": X[of, place] for place in range(X.shape[1])}
        table = pa.table({"id": ids[of], **columns, "y": y[of]})
        pq.write_table(table, folder / f"{start:08d}.parquet")
    return folder


def cpu(function, *args):
    """Return the CPU seconds that a call takes."""
    start = process_time()
    function(*args)
    return process_time() - start


def one_case(name, reweight, rows, y, ids, folder):
    """Return what storing and requests cost with rows in one place."""
    unlearner = PUMAUnlearner(LogisticRegression(), reweight=reweight, random_state=0)
    unlearner.fit(rows, y, X_ids=ids)
    some = iter(np.random.default_rng(1).permutation(len(rows)).tolist())

    def request():
        number = next(some)
        return unlearner.partial_forget(ids_of(number, number + 1))

    request()
    later = [cpu(request) for _ in range(N_REQUESTS)]
    path = folder / "unlearner.joblib"
    stored = [cpu(joblib.dump, unlearner, path) for _ in range(5)]
    unlearner = joblib.load(path)
    after_loading = cpu(request)
    return {
        "rows": name,
        "reweight": str(reweight),
        "stored_MB": path.stat().st_size / 1e6,
        "storing_s": float(np.median(stored)),
        "request_ms": 1e3 * float(np.median(later)),
        "after_loading_ms": 1e3 * after_loading,
    }


def cases(folder, n_rows, n_features):
    """Return the figures of all places that rows can be in."""
    X, y, ids = generated(n_rows, n_features)
    np.save(folder / "rows.npy", X)
    np.save(folder / "ids.npy", np.array(ids))
    figures = []
    for reweight in (None, "l2"):
        figures.append(one_case("in memory", reweight, X, y, ids, folder))
        for erase in ("later", "now"):
            rows = ArrayRows(folder / "rows.npy", ids=folder / "ids.npy", erase=erase)
            figures.append(one_case(f"array, {erase}", reweight, rows, y, None, folder))
        for erase in ("later", "now"):
            to = in_parquet(folder / f"{reweight}-{erase}", X, y, ids)
            rows = ParquetRows(to, id_column="id", target="y", erase=erase)
            figures.append(one_case(f"Parquet, {erase}", reweight, rows, None, None, folder))
        # Requests have erased rows.
        np.save(folder / "rows.npy", X)
        np.save(folder / "ids.npy", np.array(ids))
    return figures


def memory():
    """Return the resident memory of this process in MB: now, and the largest so far."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, peak


def index(folder, n_ids):
    """Return what the look-up of ids in Parquet takes."""
    folder.mkdir()
    step = 500_000
    for start in range(0, n_ids, step):
        ids = ids_of(start, min(start + step, n_ids))
        table = pa.table({"id": ids, "x": np.zeros(len(ids))})
        pq.write_table(table, folder / f"{start:09d}.parquet", row_group_size=10_000)
    del ids, table
    rows = ParquetRows(folder, id_column="id")
    before = memory()[0]
    subjects = SubjectIndex(n_ids, rows)
    subjects.knows(ids_of(5, 6))
    now, peak = memory()
    numbers = np.linspace(0, n_ids - 1, 9).astype(int).tolist()
    found = np.median([cpu(subjects.knows, ids_of(number, number + 1)) for number in numbers])
    return {
        "ids": n_ids,
        "resident_MB": now - before,
        "peak_MB": peak - before,
        "look_up_ms": 1e3 * float(found),
    }


def print_table(figures):
    """Print one line for each of the figures."""
    print("".join(f"{name:>18}" for name in figures[0]))
    for line in figures:
        given = (
            f"{value:>18}" if isinstance(value, str) else f"{value:18.4g}"
            for value in line.values()
        )
        print("".join(given))


def main():
    """Print a table, or the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--ids", type=int, default=10_000_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # First, as the largest memory so far counts.
        figures = {"index": [index(Path(folder) / "ids", args.ids)]}
        figures["requests"] = cases(Path(folder), args.rows, args.features)
    if args.json:
        print(json.dumps(figures, indent=1))
        return
    for lines in figures.values():
        print_table(lines)


if __name__ == "__main__":
    main()

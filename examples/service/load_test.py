"""
A load test
===========

Loads the service on this machine: 200 deletions and 200 predictions from 16 clients at once.
Trains a store in a temporary folder, starts the service with two workers, applies requests again
and again while clients are at work and once afterwards, and checks what became of everybody.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from threading import Event, Thread
from time import perf_counter, sleep

import numpy as np
from sklearn.base import clone
from train import X, ids, pipe, y

from sklearn_unlearn.store import ModelStore

HERE, HOST = Path(__file__).parent, "127.0.0.1"
N_WORKERS, N_CLIENTS, N_DELETIONS, PATIENCE = 2, 16, 200, 60


def ask(port, method, path, body=None):
    """Return the status and the answer of one request, on a connection of its own."""
    connection = HTTPConnection(HOST, port, timeout=PATIENCE)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def predict(port):
    return ask(port, "POST", "/predict", X[:5].tolist())


def free_port():
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return listener.getsockname()[1]


def wait_until_served(port):
    """Wait until every worker has answered."""
    workers, end = set(), perf_counter() + PATIENCE
    while len(workers) < N_WORKERS:
        if perf_counter() > end:
            raise TimeoutError(f"{len(workers)} of {N_WORKERS} workers answer.")
        with suppress(OSError):
            workers.add(predict(port)[1]["worker"])
        sleep(0.01)


def load(port, asked):
    """Ask for deletions and predictions at once; return (status, seconds) of each."""
    jobs = [("/deletions", {"ids": [one], "reference": "load test"}) for one in asked]
    jobs += [("/predict", X[:5].tolist())] * len(jobs)
    order = np.random.default_rng(0).permutation(len(jobs))

    def timed(number):
        path, body = jobs[number]
        start = perf_counter()
        try:
            return path, ask(port, "POST", path, body)[0], perf_counter() - start
        except OSError:
            return path, 0, perf_counter() - start

    with ThreadPoolExecutor(N_CLIENTS) as clients:
        return list(clients.map(timed, order))


@contextmanager
def applied_meanwhile(store):
    """Apply requests in this process, which is not one of the service's, until the work is done."""
    done = Event()

    def apply():
        while not done.wait(0.1):
            store.apply()

    thread = Thread(target=apply)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def seconds_to_agree(port, version):
    """Return after how long the last answer of another version came, and who answered."""
    start, last, workers = perf_counter(), 0.0, set()
    while (now := perf_counter() - start) < 2 or len(workers) < N_WORKERS:
        answer = predict(port)[1]
        workers.add(answer["worker"])
        last = last if answer["version"] == version else now
    return last, len(workers)


def report(results, seconds):
    answered = sum(200 <= status < 300 for _, status, _ in results)
    print(f"answered: {answered} of {len(results)}, {len(results) / seconds:.0f} per second")
    for path in ("/deletions", "/predict"):
        taken = 1000 * np.array([each for where, _, each in results if where == path])
        median, slow = np.percentile(taken, [50, 95])
        print(
            f"{path:10} median {median:.0f} ms, 95 % in {slow:.0f} ms, all in {taken.max():.0f} ms"
        )


def check(store, port, asked):
    """Print what became of everybody, as the service and as an independent training tell it."""
    states = [ask(port, "GET", f"/deletions/{one}")[1]["state"] for one in asked]
    print(f"forgotten, no version left that knew them: {states.count('purged')} of {len(asked)}")
    kept = ~np.isin(ids, asked)
    refit = clone(pipe).fit(X[kept], y[kept])
    gap = np.abs(store.load().predict_proba(X) - refit.predict_proba(X)).max()
    print(f"largest difference of a probability to a training without them: {gap:.1e}")
    print(f"events in the ledger, all sealed: {store.verify()}")


def main():
    os.environ["UNLEARN_KEY"] = secrets.token_hex(32)
    folder = Path(tempfile.mkdtemp()) / "store"
    os.environ["STORE"] = str(folder)
    subprocess.run([sys.executable, HERE / "train.py", folder], check=True)
    store, port = ModelStore(folder, key="env:UNLEARN_KEY"), free_port()
    command = [sys.executable, "-m", "uvicorn", "app:app", "--app-dir", HERE]
    options = ["--workers", N_WORKERS, "--port", port, "--log-level", "warning"]
    service = subprocess.Popen([str(word) for word in command + options])
    try:
        wait_until_served(port)
        asked = np.random.default_rng(1).choice(ids[1:], N_DELETIONS, replace=False).tolist()
        with applied_meanwhile(store):
            start = perf_counter()
            results = load(port, asked)
            report(results, perf_counter() - start)
        ask(port, "POST", "/deletions", {"ids": ["patient-0", "nobody"]})
        apply = [sys.executable, "-m", "sklearn_unlearn", "apply", folder]
        subprocess.run(apply, check=True)
        last, n_workers = seconds_to_agree(port, store.latest_version)
        print(
            f"version {store.latest_version} alone is served by {n_workers} of {N_WORKERS} workers "
            f"{last:.2f} s after apply"
        )
        check(store, port, [*asked, "patient-0"])
    finally:
        service.terminate()
        service.wait(PATIENCE)


if __name__ == "__main__":
    main()

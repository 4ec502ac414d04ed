"""Threads of numerical libraries, and work shared by threads of our own."""

import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import joblib
from threadpoolctl import ThreadpoolController


def one_thread():
    """Return a context in which numerical libraries use one thread."""
    return _thread_pools(len(sys.modules)).limit(limits=1)


@lru_cache(maxsize=1)
def _thread_pools(n_modules):
    """Return the libraries' thread pools; looked for again when modules have been imported."""
    return ThreadpoolController()


def in_order(function, calls, n_jobs):
    """Yield what a function makes of each set of arguments, in order.

    Parameters
    ----------
    function : callable
        The function; libraries that it calls should release the interpreter's lock.

    calls : iterable of tuple
        Its arguments; taken a few ahead of the results.

    n_jobs : int or None
        Number of threads. Threads, whichever backend of joblib is set: the arguments are rows
        that stay where they are.

    Yields
    ------
    object
        A result. It does not depend on ``n_jobs``.
    """
    if n_jobs is None or joblib.effective_n_jobs(n_jobs) == 1:
        for arguments in calls:
            yield function(*arguments)
        return
    n_threads, running = joblib.effective_n_jobs(n_jobs), deque()
    # A pool of BLAS threads in each of ours would be more threads than cores.
    with one_thread(), ThreadPoolExecutor(n_threads) as pool:
        for arguments in calls:
            running.append(pool.submit(function, *arguments))
            if len(running) > 2 * n_threads:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()

"""How far has a fit come? A line for each step that takes time."""

from contextlib import contextmanager
from time import perf_counter


@contextmanager
def timed_step(step, verbose):
    """Print what was done and how long it took, once it is done.

    Parameters
    ----------
    step : str
        What is done; it names no row.

    verbose : int
        Zero prints nothing.
    """
    start = perf_counter()
    yield
    if verbose > 0:
        print(f"[MislabelDetector] {step}, {perf_counter() - start:.1f} s", flush=True)

"""Chains are trained on one thread of every numerical library, whoever else trains."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from sklearn_unlearn._chains.sync import one_thread


def blas_threads():
    """Return the number of threads of each BLAS."""
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture
def two_threads():
    """Let BLAS have two threads, if there is one that can be told so."""
    with threadpool_limits(2, user_api="blas"):
        np.ones((2, 2)) @ np.ones((2, 2))
        if blas_threads() != {2}:
            pytest.skip("no BLAS that can have two threads")
        yield


@pytest.mark.usefixtures("two_threads")
def test_whoever_leaves_first_does_not_give_threads_to_who_still_trains():
    first, second = one_thread(), one_thread()
    with ThreadPoolExecutor(1) as other:
        first.__enter__()
        other.submit(second.__enter__).result()
        first.__exit__(None, None, None)
        assert blas_threads() == {1}
        other.submit(second.__exit__, None, None, None).result()
    assert blas_threads() == {2}


@pytest.mark.usefixtures("two_threads")
def test_a_training_that_fails_gives_the_threads_back():
    with pytest.raises(KeyError), one_thread():
        raise KeyError
    assert blas_threads() == {2}

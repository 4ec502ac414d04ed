"""The digest of a model: its functions count by what they do."""

import numpy as np
import pytest
from sklearn.preprocessing import FunctionTransformer

from sklearn_unlearn import model_digest


def scaled(factor):
    """Return a function that remembers a factor."""

    def scale(X):
        return X * factor

    return scale


def digest(function):
    """Return the digest of a transformer with a function."""
    return model_digest(FunctionTransformer(function))


def with_default(X, factor=2):
    return X * factor


def test_functions_that_do_the_same_have_one_digest():
    assert digest(scaled(2)) == digest(scaled(2))
    assert digest(np.log1p) == digest(np.log1p)
    assert digest(with_default) == digest(with_default)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (lambda X: X, lambda X: 1000 * X),
        (scaled(1), scaled(99)),
        (lambda X, k=1: X * k, lambda X, k=2: X * k),
        (lambda X, *, k=1: X * k, lambda X, *, k=2: X * k),
        (lambda X: (lambda Z: Z + 1)(X), lambda X: (lambda Z: Z + 2)(X)),
        (lambda X: X.sum(), lambda X: X.max()),
        (np.log1p, np.expm1),
    ],
    ids=["constants", "closures", "defaults", "keywords", "inner", "names", "ufuncs"],
)
def test_functions_that_do_something_else_have_another(a, b):
    assert digest(a) != digest(b)


def test_a_function_that_refers_to_itself_has_a_digest():
    def count(X, depth=3):
        return X if not depth else count(X, depth - 1)

    assert digest(count) == digest(count)

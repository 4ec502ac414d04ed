"""The digest of a model: its functions count by what they do."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

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


def test_what_is_known_of_estimators_inside_is_not_read_again():
    X = np.arange(12.0).reshape(6, 2)
    model, known = make_pipeline(StandardScaler(), Ridge()).fit(X, X[:, 0]), {}
    assert model_digest(model, known) == model_digest(model) == model_digest(model, known)
    assert set(known) == {id(step) for _, step in model.steps}
    whole = model_digest(model)
    model[0].mean_[0] += 1
    assert model_digest(model, known) == whole
    assert model_digest(model) != whole


def test_a_digest_changes_with_every_field_of_a_tree_and_not_with_what_lies_between():
    X = np.random.default_rng(0).standard_normal((40, 3))
    first, second = (
        RandomForestClassifier(3, random_state=0).fit(X, X[:, 0] > 0) for _ in range(2)
    )
    assert model_digest(first) == model_digest(second)
    values = second.estimators_[1].tree_.value
    values[0, 0, 0] = np.nextafter(values[0, 0, 0], 2)
    assert model_digest(first) != model_digest(second)
    gaps = np.zeros(
        2, dtype={"names": ["a", "b"], "formats": ["u1", "f8"], "offsets": [0, 8], "itemsize": 24}
    )
    same = gaps.copy()
    same.view(np.uint8)[3] = 1
    other = gaps.copy()
    other["b"][1] = 1
    digests = [model_digest(Ridge(alpha=part)) for part in (gaps, same, other)]
    assert digests[0] == digests[1] != digests[2]

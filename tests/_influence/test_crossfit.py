"""A cross-fitted criterion is what its formulas say, computed from scratch."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn._influence.judging import excess, rises
from tests.unlearners import classification, regression

GONE = np.arange(4, 40)


def from_scratch(model, X, y, gone):
    """Return folds, rows' influences per fold, what a removal costs per fold, and its error."""
    ridge = isinstance(model.estimator_, Ridge)
    Z = np.column_stack([X, np.ones(len(X))])
    theta = np.append(model.estimator_.coef_, model.estimator_.intercept_)

    def slopes(theta):
        return Z @ theta - y if ridge else 1 / (1 + np.exp(-Z @ theta)) - y

    p = slopes(theta) + y
    curvature = np.ones(len(y)) if ridge else p * (1 - p)
    H = (Z * curvature[:, None]).T @ Z + np.diag([1.0] * X.shape[1] + [0.0])
    gradients = Z * slopes(theta)[:, None]
    drawn = model._source.drawn.first(len(X), model._subjects)
    folds = np.empty(len(X), dtype=int)
    folds[drawn.rows] = drawn.folds
    influences, losses, errors = [], [], []
    for fold in range(10):
        of = folds == fold
        of[gone] = False
        there = theta + np.linalg.solve(H, gradients[of].sum(axis=0))
        gradient = Z[of].T @ slopes(there)[of] / of.sum()
        influences.append(gradients @ np.linalg.solve(H, gradient))
        each = slopes(there)[of] * (Z[of] @ np.linalg.solve(H, gradients[gone].sum(axis=0)))
        losses.append(each.mean())
        errors.append(each.std(ddof=1) / np.sqrt(len(each)))
    return folds, np.array(influences).T, np.array(losses), np.array(errors)


def fitted(kind):
    if kind == "ridge":
        X, y = regression(n_rows=300)
        return PUMAUnlearner(Ridge(), random_state=0).fit(X, y), X, y
    X, y = classification(n_rows=300, n_classes=2)
    model = PUMAUnlearner(LogisticRegression(), random_state=0).fit(X, y)
    return model, X, (y == model.classes_[1]).astype(float)


@pytest.mark.parametrize("kind", ["ridge", "logistic"])
def test_influences_are_those_on_the_folds_that_a_row_is_not_in(kind):
    model, X, y = fitted(kind)
    folds, psi, _, _ = from_scratch(model, X, y, [])
    others = folds[:, None] != np.arange(10)
    expected = (psi * others).sum(axis=1) / 9
    np.testing.assert_allclose(model.influence(), expected, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(model.influence([7, 3]), expected[[7, 3]], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("kind", ["ridge", "logistic"])
def test_what_is_made_up_for_is_the_loss_above_its_error(kind):
    model, X, y = fitted(kind)
    objective = model.objective()
    demands = model._criterion().demands(objective.without(GONE), objective, GONE, GONE)
    found = np.array([loss[0] for _, loss, _ in sorted(demands, key=lambda demand: demand[0])])
    _, _, losses, errors = from_scratch(model, X, y, GONE)
    expected = np.where(losses > errors, losses - errors, np.minimum(losses, 0))
    assert (expected > 0).any()
    assert (expected == 0).any()
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-12)


def test_the_error_is_that_of_a_mean_over_subjects():
    rng = np.random.default_rng(0)
    values, groups = rng.standard_normal(60), np.repeat([0, 1], [40, 20])
    shares = np.repeat([1 / 40, 1 / 20], [40, 20])
    totals, errors = rises(values * shares, shares, groups, 2)
    for group in (0, 1):
        some = values[groups == group]
        assert totals[group] == pytest.approx(some.mean())
        assert errors[group] == pytest.approx(some.std(ddof=1) / np.sqrt(len(some)))
    # A row that stands twice for one subject says nothing new.
    twice = [np.repeat(part, 2) for part in (values * shares / 2, shares / 2, groups, range(60))]
    again = rises(*twice[:3], 2, owners=twice[3])
    np.testing.assert_allclose(again, [totals, errors])
    assert (rises(*twice[:3], 2)[1] < 0.75 * errors).all()


def test_one_subject_alone_does_not_judge():
    one = np.zeros(3, dtype=int)
    totals, errors = rises(np.ones(3) / 3, np.ones(3) / 3, one, 1, owners=one)
    assert totals == pytest.approx([1.0])
    assert errors == [np.inf]
    assert excess(totals, errors) == [0]


def test_only_what_exceeds_the_error_is_made_up_for():
    found = excess(np.array([3.0, 1.0, -2.0, np.nan]), np.array([1.0, 2.0, 1.0, 1.0]))
    np.testing.assert_array_equal(found, [2.0, 0.0, -2.0, 0.0])


def test_a_criterion_of_as_many_values_as_there_are_classes_among_the_rows_is_refused():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 3))
    y = np.where(np.arange(300) < 3, 2, rng.integers(0, 2, 300))

    def per_class(y, raw):
        classes = np.unique(y)
        return np.zeros(len(classes)), np.zeros((len(classes), *raw.shape))

    model = PUMAUnlearner(LogisticRegression(), criterion=per_class, random_state=0).fit(X, y)
    before = model.estimator_.coef_.copy()
    with pytest.raises(ValueError, match=r"criterion returned 2 values .* and 3 for others"):
        model.partial_forget(range(10, 20))
    np.testing.assert_array_equal(model.estimator_.coef_, before)

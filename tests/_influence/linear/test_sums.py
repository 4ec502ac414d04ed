"""Sums over rows are the same to the last bit for any number of threads."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, StandardScaler

from sklearn_unlearn import PUMAUnlearner, model_digest
from sklearn_unlearn._influence.linear import sums
from sklearn_unlearn._influence.linear.objective import LinearObjective
from sklearn_unlearn._inner.threads import in_order

N_ROWS = 40_000


def rows(n_features=40, n_classes=2):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_ROWS, n_features))
    return X, (X[:, :n_classes] + rng.gumbel(size=(N_ROWS, n_classes))).argmax(axis=1)


@pytest.mark.parametrize("reweight", [None, "l2"])
@pytest.mark.parametrize(
    ("inner", "n_classes", "convert"),
    [
        (LogisticRegression(), 2, None),
        (LogisticRegression(class_weight="balanced"), 3, None),
        (make_pipeline(StandardScaler(), LogisticRegression()), 2, None),
        (make_pipeline(MinMaxScaler(), LogisticRegression()), 2, None),
        (Ridge(), 2, sparse.csr_matrix),
    ],
    ids=["binary", "balanced", "scaled", "behind a transformer", "sparse"],
)
def test_a_request_gives_the_same_bits_for_any_number_of_threads(
    reweight, inner, n_classes, convert
):
    X, y = rows(n_classes=n_classes)
    X = X if convert is None else convert(np.where(np.abs(X) > 1, X, 0))
    digests = set()
    for n_jobs in (None, 2, 3):
        model = PUMAUnlearner(
            inner, reweight=reweight, n_refine=2, alpha=0.01, n_jobs=n_jobs, random_state=0
        ).fit(X, y)
        model.partial_forget(range(500)).partial_forget([600])
        digests.add(model_digest(model.estimator_))
    assert len(digests) == 1


def test_there_is_more_than_one_block():
    X, y = rows()
    objective = PUMAUnlearner(Ridge(), n_jobs=2).fit(X, y).objective()
    assert objective.n_jobs == 2
    assert len(list(objective.blocks())) > 2


def test_the_number_of_threads_may_change_after_fit():
    X, y = rows()
    model = PUMAUnlearner(Ridge(), reweight=None).fit(X, y).set_params(n_jobs=2)
    assert model.objective().n_jobs == 2
    model.partial_forget([0])


def test_results_come_in_order_from_threads():
    kept = []
    found = list(in_order(lambda i: kept.append(i) or i * i, [(i,) for i in range(20)], 2))
    # A process of its own would have kept its own list.
    assert sorted(kept) == list(range(20))
    assert found == [i * i for i in range(20)]


def test_an_error_in_a_thread_gets_through():
    def fails(i):
        raise ValueError(f"block {i}")

    with pytest.raises(ValueError, match="block"):
        list(in_order(fails, [(0,), (1,)], 2))


def test_gradients_agree_with_a_loop_over_rows():
    X, y = rows(n_features=5)
    objective = PUMAUnlearner(
        make_pipeline(PolynomialFeatures(include_bias=False), LogisticRegression()), n_jobs=2
    ).fit(X[:300], y[:300]).objective()  # fmt: skip
    some = np.arange(7)
    one_by_one = sum(objective.loss_gradient(np.array([row])) for row in some)
    np.testing.assert_allclose(sums.loss_gradient(objective, some), one_by_one, rtol=1e-12)
    squares = sum(objective.loss_gradient(np.array([row])) ** 2 for row in range(300))
    np.testing.assert_allclose(objective.squared_gradients(), squares, rtol=1e-10)


@pytest.mark.parametrize("inner", [Ridge(), LogisticRegression(tol=1e-8)], ids=["Ridge", "logit"])
def test_where_most_rows_leave_only_those_that_remain_are_summed(inner, monkeypatch):
    X, y = rows(n_features=5)
    X, y = X[:2000], y[:2000]
    model = PUMAUnlearner(inner, reweight=None, n_refine=3).fit(X, y)
    seen, add = [], LinearObjective.add

    def counted(self, expansion, some, *args):
        seen.append(np.zeros(2000)[some].size)
        add(self, expansion, some, *args)

    monkeypatch.setattr(LinearObjective, "add", counted)
    left = np.arange(1500, 2000)
    for gone in (range(1500), range(1500, 1510)):
        model.partial_forget(gone)
    assert max(seen) <= len(left)
    refit = clone(inner).fit(X[1510:], y[1510:])
    np.testing.assert_allclose(model.estimator_.coef_, refit.coef_, rtol=1e-5, atol=1e-6)

"""A function is an unlearner: what it is given, and what it may return."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, SGDClassifier

from sklearn_unlearn import model_digest
from sklearn_unlearn.baselines import FunctionUnlearner
from tests.unlearners import classification

X, Y = classification()


def test_it_gets_a_copy_and_the_rows_apart():
    given = {}

    def forget(model, forgotten, remaining, rng):
        given.update(model=model, forgotten=forgotten, remaining=remaining, draw=rng.randint(99))
        model.coef_[:] = 0
        raise RuntimeError("no")

    unlearner = FunctionUnlearner(LogisticRegression(), forget=forget, random_state=0).fit(X, Y)
    before = model_digest(unlearner.estimator_)
    with pytest.raises(RuntimeError, match="no"):
        unlearner.partial_forget([3, 5])
    # The request failed, so the model is as it was, whatever was done to the copy.
    assert model_digest(unlearner.estimator_) == before
    np.testing.assert_array_equal(given["forgotten"][0], X[[3, 5]])
    np.testing.assert_array_equal(given["remaining"][1], np.delete(Y, [3, 5]))
    first = given["draw"]
    with pytest.raises(RuntimeError):
        unlearner.partial_forget([3, 5])
    assert given["draw"] == first


def test_the_model_is_what_it_returns_and_the_receipt_says_what_it_promises():
    def refit(model, forgotten, remaining, rng):
        return LogisticRegression().fit(*remaining)

    unlearner = FunctionUnlearner(LogisticRegression(), forget=refit, guarantee="exact")
    unlearner.fit(X, Y).partial_forget([0])
    np.testing.assert_array_equal(
        unlearner.estimator_.coef_, LogisticRegression().fit(X[1:], Y[1:]).coef_
    )
    assert unlearner.receipts_[-1].guarantee == "exact"
    assert unlearner.receipts_[-1].stopped_because == "what refit does was done"


def test_a_function_gets_batches_of_a_net():
    torch = pytest.importorskip("torch")
    from skorch import NeuralNetClassifier

    found = []

    def forget(model, forgotten, remaining, rng):
        found.append([model.loader(*remaining, seed) for seed in (0, 0, 1)])
        return model

    net = NeuralNetClassifier(
        torch.nn.Linear(X.shape[1], 2), criterion=torch.nn.CrossEntropyLoss, max_epochs=1, verbose=0
    )
    FunctionUnlearner(net, forget=forget).fit(X, Y).partial_forget([3, 5])
    first, same, other = (
        [torch.cat(parts).numpy() for parts in zip(*loader)] for loader in found[0]
    )
    np.testing.assert_array_equal(first[0], same[0])
    assert not np.array_equal(first[0], other[0])
    # All rows that remain, in the net's precision, with the number of each label.
    left = np.delete(X, [3, 5], axis=0).astype("float32")
    order, own = np.lexsort(first[0].T), np.lexsort(left.T)
    np.testing.assert_array_equal(first[0][order], left[own])
    np.testing.assert_array_equal(first[1][order], np.delete(Y == "spam", [3, 5])[own])
    assert len(next(iter(found[0][0]))[1]) == min(128, len(X) - 2)


def test_bad_input():
    with pytest.raises(TypeError, match="must be a function"):
        FunctionUnlearner(SGDClassifier(), forget="no").fit(X, Y)
    with pytest.raises(ValueError, match="guarantee='surely'"):
        FunctionUnlearner(SGDClassifier(), forget=print, guarantee="surely").fit(X, Y)
    nothing = FunctionUnlearner(SGDClassifier(), forget=lambda *given: None).fit(X, Y)
    with pytest.raises(TypeError, match="returned NoneType"):
        nothing.partial_forget([0])
    assert nothing.receipts_ == []

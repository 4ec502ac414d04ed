"""A request, a fit or an added row that is cut off at any line is done, or never was."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import sklearn_unlearn
from sklearn_unlearn import ArcaneEnsemble, PUMAUnlearner, SISAEnsemble, model_digest
from sklearn_unlearn.baselines import (
    FisherUnlearner,
    GradientAscentUnlearner,
    InfluenceUnlearner,
    RetrainUnlearner,
)

PACKAGE = str(Path(sklearn_unlearn.__file__).parent)

MAKERS = {
    "ridge": lambda: PUMAUnlearner(Ridge(), reweight=None),
    "reweighted": lambda: PUMAUnlearner(
        make_pipeline(StandardScaler(), LogisticRegression()), random_state=0
    ),
    "refitted": lambda: PUMAUnlearner(make_pipeline(MinMaxScaler(), Ridge()), random_state=0),
    "retrain": lambda: RetrainUnlearner(LogisticRegression()),
    "sisa": lambda: SISAEnsemble(GaussianNB(), n_shards=2, block_size=20, random_state=0),
    "arcane": lambda: ArcaneEnsemble(block_size=20, random_state=0),
}


def data(seed=0, n_rows=80):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, 3))
    return X, (X @ [1.0, -1.0, 0.5] + rng.standard_normal(n_rows) > 0).astype(int)


X, Y = data()
IDS = [f"customer-{i // 2}" for i in range(len(Y))]
ASKED = ["customer-3", "customer-17"]


class Lines:
    """Counts the package's lines that a call runs, and interrupts it at one of them."""

    def __init__(self, at=None):
        self.at, self.n = at, 0

    def __call__(self, frame, event, arg):
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            self.n += 1
            if self.n == self.at:
                raise KeyboardInterrupt
        return self

    def run(self, call):
        """Run the call; returns whether it was cut off."""
        sys.settrace(self)
        try:
            call()
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(None)
        return False


def lines_of(make_call, n_places):
    """Return places spread over the lines of a call, all of the last ones among them."""
    lines = Lines()
    assert not lines.run(make_call())
    spread = np.linspace(1, lines.n, n_places, dtype=int)
    return np.union1d(spread, np.arange(max(1, lines.n - 40), lines.n + 1))


@pytest.mark.parametrize("name", MAKERS)
def test_a_request_that_is_cut_off_is_done_or_never_was(name):
    fitted = pickle.dumps(MAKERS[name]().fit(X, Y, X_ids=IDS))
    before = model_digest(pickle.loads(fitted).estimator_)
    after = model_digest(pickle.loads(fitted).partial_forget(ASKED).estimator_)
    for line in lines_of(lambda: lambda: pickle.loads(fitted).partial_forget(ASKED), 40):
        model = pickle.loads(fitted)
        Lines(line).run(lambda model=model: model.partial_forget(ASKED))
        done = bool(model.receipts_)
        assert model_digest(model.estimator_) == (after if done else before)
        if not done:
            model.partial_forget(ASKED)
            assert model_digest(model.estimator_) == after
        with pytest.raises(KeyError):
            model.partial_forget(ASKED)
        assert b"customer-17" not in pickle.dumps(model)
        assert len(model.rows_of()) == len(Y) - 4


@pytest.mark.parametrize("name", MAKERS)
def test_a_fit_that_is_cut_off_leaves_the_old_model_or_the_new(name):
    X_new, y_new = data(seed=1, n_rows=60)
    old = pickle.dumps(MAKERS[name]().fit(X, Y, X_ids=IDS).partial_forget(["customer-0"]))

    def refit():
        model = pickle.loads(old)
        return lambda: model.fit(X_new, y_new)

    digests = {
        False: model_digest(pickle.loads(old).partial_forget(["customer-5"]).estimator_),
        True: model_digest(MAKERS[name]().fit(X_new, y_new).partial_forget([5]).estimator_),
    }
    for line in lines_of(refit, 25):
        model = pickle.loads(old)
        Lines(line).run(lambda model=model: model.fit(X_new, y_new))
        new = not model.receipts_
        model.partial_forget([5] if new else ["customer-5"])
        assert model_digest(model.estimator_) == digests[new]


@pytest.mark.parametrize("name", ["sisa", "arcane"])
def test_adding_rows_that_is_cut_off_is_done_or_never_was(name):
    fitted = pickle.dumps(MAKERS[name]().fit(X, Y, X_ids=IDS))
    X_new, y_new = data(seed=2, n_rows=20)
    new_ids = [f"new-{i}" for i in range(20)]

    def add(model):
        return lambda: model.partial_fit(X_new, y_new, X_ids=new_ids)

    whole = pickle.loads(fitted)
    add(whole)()
    for line in lines_of(lambda: add(pickle.loads(fitted)), 40):
        model = pickle.loads(fitted)
        Lines(line).run(add(model))
        if len(model.rows_of()) == len(Y):
            add(model)()
        assert model_digest(model.estimator_) == model_digest(whole.estimator_)
        model.partial_forget(["new-3"])
        assert len(model.rows_of()) == len(Y) + 19


@pytest.mark.parametrize("name", MAKERS)
def test_nothing_of_an_earlier_request_matters_after_a_fit(name, monkeypatch):
    model = MAKERS[name]().fit(X, Y)

    def cut_off(rows):
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "_erase", cut_off, raising=False)
    with pytest.raises(KeyboardInterrupt):
        model.partial_forget([5, 6, 7])
    monkeypatch.undo()
    model.fit(X, Y).rows_of([5])
    model.partial_forget([20])
    assert model.receipts_[-1].n_rows_remaining == len(Y) - 1
    fresh = MAKERS[name]().fit(X, Y).partial_forget([20])
    assert model_digest(model.estimator_) == model_digest(fresh.estimator_)
    assert len(pickle.loads(pickle.dumps(model)).rows_of()) == len(Y) - 1


@pytest.mark.parametrize(
    "unlearner", [FisherUnlearner, GradientAscentUnlearner, InfluenceUnlearner]
)
def test_a_baseline_is_no_puma_unlearner_with_parts_switched_off(unlearner):
    model = unlearner(Ridge()).fit(X, Y)
    assert not isinstance(model, PUMAUnlearner)
    assert not hasattr(model, "influence")
    assert "X_val" not in unlearner.fit.__doc__
    with pytest.raises(TypeError, match="X_val"):
        unlearner(Ridge()).fit(X, Y, X_val=X, y_val=Y)
    assert not hasattr(model, "reweight")

"""Training without the rows of those who asked to be forgotten before."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner, SISAEnsemble, model_digest

rng = np.random.default_rng(0)
X = rng.standard_normal((40, 3))
Y = X @ [1.0, 2.0, 3.0] + rng.standard_normal(40)
IDS = [f"c{row // 2}" for row in range(40)]
GONE = {"c3", "c7", "nobody"}
KEEP = np.array([key not in GONE for key in IDS])


def shards():
    return SISAEnsemble(GaussianNB(), n_shards=2, random_state=0)


def test_parameters_with_an_entry_per_row_are_cut_and_others_are_not():
    weights = np.arange(1.0, 41)
    pipe = make_pipeline(StandardScaler(), Ridge())
    model = PUMAUnlearner(pipe, random_state=0)
    # As many criterion rows as rows; they are nobody's who is excluded.
    others = {"X_val": X + 1, "y_val": Y**2}
    model.fit(X, Y, X_ids=IDS, exclude_ids=sorted(GONE), sample_weight=weights, **others)
    expected = make_pipeline(StandardScaler(), Ridge()).fit(
        X[KEEP], Y[KEEP], ridge__sample_weight=weights[KEEP]
    )
    np.testing.assert_allclose(model.predict(X), expected.predict(X), rtol=1e-12)
    fresh = PUMAUnlearner(pipe, random_state=0)
    fresh.fit(X[KEEP], Y[KEEP], X_ids=np.array(IDS)[KEEP], sample_weight=weights[KEEP], **others)
    for each in (model, fresh):
        each.partial_forget(["c4"])
    np.testing.assert_allclose(model.predict(X), fresh.predict(X), rtol=1e-9)
    assert model.fit(X, Y).n_rows_excluded_ == 0


@pytest.mark.parametrize("of", ["X", "y"])
def test_an_index_names_the_subjects_before_and_after(of):
    frame, series = pd.DataFrame(X, index=IDS), pd.Series(Y, index=IDS)
    given = (frame, Y) if of == "X" else (X.tolist(), series)
    model = PUMAUnlearner(Ridge(), reweight=None).fit(*given, exclude_ids=GONE)
    assert (model.n_rows_excluded_, model.n_subjects_) == (4, 18)
    np.testing.assert_allclose(model.estimator_.coef_, Ridge().fit(X[KEEP], Y[KEEP]).coef_)
    assert model.partial_forget(["c4"]).receipts_[-1].n_rows == 2


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        pytest.param({"exclude_ids": GONE}, ValueError, "no ids: pass X_ids", id="positions"),
        pytest.param(
            {"X_ids": IDS, "exclude_ids": "c3"},
            ValueError,
            r"^exclude_ids .*single",
            id="one",
        ),
        pytest.param({"X_ids": IDS, "exclude_ids": [3]}, TypeError, "number, .*str", id="kind"),
        pytest.param({"X_ids": IDS, "exclude_ids": ~KEEP}, ValueError, "mask", id="mask"),
        pytest.param({"X_ids": IDS, "exclude_ids": IDS}, ValueError, "All 40 rows", id="all"),
        pytest.param({"X_ids": IDS, "exclude_ids": [None]}, ValueError, "missing", id="missing"),
        pytest.param(
            {"X_ids": IDS, "exclude_ids": lambda keys: [1]}, ValueError, "40 booleans", id="answer"
        ),
        pytest.param({"X_ids": IDS[1:], "exclude_ids": GONE}, ValueError, "39 ids", id="length"),
    ],
)
def test_what_excludes_nobody_or_everybody_is_said(given, error, message):
    model = PUMAUnlearner(Ridge(), reweight=None).fit(X, Y, X_ids=IDS, exclude_ids=["c1"])
    before = pickle.dumps(model)
    with pytest.raises(error, match=message):
        model.fit(X, Y, **given)
    assert pickle.dumps(model) == before
    assert model.n_rows_excluded_ == 2


def test_a_frozen_model_has_seen_them():
    frozen = FrozenEstimator(LogisticRegression().fit(X, Y > 0))
    with pytest.raises(ValueError, match="frozen"):
        PUMAUnlearner(frozen).fit(X, Y > 0, X_ids=IDS, exclude_ids=GONE)


def test_rows_are_added_without_those_of_excluded_and_of_forgotten_subjects():
    y = (Y > 0).astype(int)
    model = shards().fit(X[:20], y[:20], X_ids=IDS[:20], exclude_ids=GONE)
    model.partial_forget(["c1", "c2"])
    with pytest.raises(
        ValueError, match=r"^2 of 3 id\(s\) of the new rows were forgotten"
    ) as error:
        model.partial_fit(X[:10], y[:10], X_ids=["c1", "c1", "c2", *["new"] * 7])
    assert "c1" not in str(error.value)
    later = set(IDS[30:32])
    model.partial_fit(X[20:], y[20:], X_ids=IDS[20:], exclude_ids=later)
    assert (model.n_rows_excluded_, model.n_rows_) == (6, 30)
    keep = [row for row, key in enumerate(IDS) if key not in GONE | later | {"c1", "c2"}]
    fresh = shards().fit(X[keep], y[keep], X_ids=[IDS[row] for row in keep])
    assert model_digest(model.estimator_) == model_digest(fresh.estimator_)
    # Nothing of them is stored, so a model from a file can't tell.
    assert pickle.loads(pickle.dumps(model)).partial_fit(X[:1], y[:1], X_ids=["c1"]).knows(["c1"])


@pytest.mark.parametrize("routing", [False, True])
def test_a_search_and_a_pipeline_pass_it_on(routing):
    with sklearn.config_context(enable_metadata_routing=routing):
        grid = GridSearchCV(PUMAUnlearner(Ridge(), reweight=None), {"eta": [1.0]}, cv=2)
        grid.fit(X, Y, X_ids=IDS, exclude_ids=GONE)
        assert grid.best_estimator_.n_rows_excluded_ == 4
